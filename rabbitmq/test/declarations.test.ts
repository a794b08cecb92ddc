import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { silentLogger, systemClock, type TaskId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { Declarations } from '../src/declarations.ts';
import { Lane } from '../src/lane.ts';
import { blockStream, exchanges, staticQueues } from '../src/topology.ts';
import { Watermarks } from '../src/watermarks.ts';

/** A connection that notes what is declared and deleted by it; when it breaks, nothing is deleted. */
class Connection {
  readonly declared: string[] = [];
  readonly deleted: string[] = [];
  breaks = false;
  refused = 0;

  get model(): ChannelModel {
    const channel = Object.assign(new EventEmitter(), {
      assertExchange: (name: string) => Promise.resolve(this.declared.push(name)),
      assertQueue: (name: string) => Promise.resolve(this.declared.push(name)),
      bindQueue: () => Promise.resolve(),
      deleteQueue: (name: string) => (this.breaks ? this.#refuse() : Promise.resolve(this.deleted.push(name))),
      close: () => Promise.resolve(),
    });
    return { createChannel: () => Promise.resolve(channel) } as unknown as ChannelModel;
  }

  #refuse(): Promise<never> {
    this.refused += 1;
    return Promise.reject(new Error('channel closed'));
  }
}

const stream = blockStream('0123456789abcdef' as TaskId);

function declarationsOf(retryMs?: number): Declarations {
  const limits = { maxBytes: 1000, windowMessages: 1, windowBytes: 1000 };
  return new Declarations(new Lane(limits, new Watermarks(), systemClock), silentLogger, retryMs);
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
  const declarations = declarationsOf(1);
  const connection = new Connection();
  connection.breaks = true;
  await declarations.assertAll(connection.model);
  declarations.discard(stream);
  await waitUntil(() => connection.refused > 0, { what: 'the first try' });
  connection.breaks = false;
  await declarations.cleared();
  expect(connection.deleted).toEqual([stream.name]);
});
