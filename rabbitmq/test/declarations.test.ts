import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { silentLogger, systemClock, type TaskId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { Declarations, type Retries } from '../src/declarations.ts';
import { Lane } from '../src/lane.ts';
import { blockStream, exchanges, staticQueues } from '../src/topology.ts';
import { Watermarks } from '../src/watermarks.ts';

/** A connection that notes what is declared and deleted by it; when it breaks, nothing is deleted. */
class Connection {
  readonly declared: string[] = [];
  readonly deleted: string[] = [];
  breaks = false;
  refused = 0;
  /** How often each queue is refused before it can be declared, and with what. */
  readonly absent = new Map<string, number>();
  code = 404;

  get model(): ChannelModel {
    const channel = Object.assign(new EventEmitter(), {
      assertExchange: (name: string) => Promise.resolve(this.declared.push(name)),
      assertQueue: (name: string) => this.#declare(name),
      bindQueue: () => Promise.resolve(),
      deleteQueue: (name: string) => (this.breaks ? this.#refuse() : Promise.resolve(this.deleted.push(name))),
      close: () => Promise.resolve(),
    });
    return { createChannel: () => Promise.resolve(channel) } as unknown as ChannelModel;
  }

  #declare(name: string): Promise<unknown> {
    const left = this.absent.get(name) ?? 0;
    this.absent.set(name, left - 1);
    if (left <= 0) return Promise.resolve(this.declared.push(name));
    this.refused += 1;
    return Promise.reject(Object.assign(new Error('home node is down'), { code: this.code }));
  }

  #refuse(): Promise<never> {
    this.refused += 1;
    return Promise.reject(new Error('channel closed'));
  }
}

const stream = blockStream('0123456789abcdef' as TaskId);

function declarationsOf(retries: Partial<Retries> = {}): Declarations {
  const limits = { maxBytes: 1000, windowMessages: 1, windowBytes: 1000 };
  const whole = { retryMs: 60_000, startRetryMs: 1, startTries: 20, ...retries };
  return new Declarations(new Lane(limits, new Watermarks(), systemClock), silentLogger, whole);
}

test('a deletion that fails with its connection is tried again by the next one, until it succeeds', async () => {
  const declarations = declarationsOf();
  let told = 0;
  declarations.discard(stream, () => (told += 1));
  const [first, second, third] = [new Connection(), new Connection(), new Connection()];
  first.breaks = true;
  await declarations.assertAll(first.model);
  expect(told).toBe(0);
  for (const connection of [second, third]) await declarations.assertAll(connection.model);
  expect(told).toBe(1);
  expect([first, second, third].map(({ deleted }) => deleted)).toEqual([[], [stream.name], []]);
  expect(third.declared).toEqual([...exchanges, ...staticQueues].map(({ name }) => name));
});

test('a broker that has just started may refuse a deletion for a moment: it is tried again by the same connection', async () => {
  const declarations = declarationsOf({ retryMs: 1 });
  const connection = new Connection();
  connection.breaks = true;
  await declarations.assertAll(connection.model);
  declarations.discard(stream);
  await waitUntil(() => connection.refused > 0, { what: 'the first try' });
  connection.breaks = false;
  await declarations.cleared();
  expect(connection.deleted).toEqual([stream.name]);
});

const names = [...exchanges, ...staticQueues].map(({ name }) => name);

test('a broker that has just started may not have a stream yet: the connection is not used before', async () => {
  const connection = new Connection();
  connection.absent.set('events', 3);
  await declarationsOf().assertAll(connection.model);
  expect(connection.declared.toSorted()).toEqual(names.toSorted());
  expect(connection.refused).toBe(3);
});

test('a stream that is lost holds a connection up for some tries only, and is tried again by it', async () => {
  const declarations = declarationsOf({ retryMs: 1, startTries: 2 });
  const connection = new Connection();
  connection.absent.set('events', 5);
  await declarations.assertAll(connection.model);
  expect(connection.declared).not.toContain('events');
  await waitUntil(() => connection.declared.includes('events'), { what: 'it is declared after all' });
  expect(connection.refused).toBe(5);
});

test('a queue that somebody has declared otherwise is tried once', async () => {
  const connection = new Connection();
  Object.assign(connection, { code: 406 });
  connection.absent.set('results', 2);
  await declarationsOf({ retryMs: 1 }).assertAll(connection.model);
  expect(connection.refused).toBe(1);
  expect(connection.declared).toEqual(names.filter((name) => name !== 'results'));
});
