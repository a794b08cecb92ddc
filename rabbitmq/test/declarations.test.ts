import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { silentLogger, systemClock, type TaskId } from '@muster/shared';
import { Declarations } from '../src/declarations.ts';
import { Lane } from '../src/lane.ts';
import { blockStream, exchanges, staticQueues } from '../src/topology.ts';
import { Watermarks } from '../src/watermarks.ts';

/** A connection that notes what is declared and deleted by it; when it breaks, nothing is deleted. */
class Connection {
  readonly declared: string[] = [];
  readonly deleted: string[] = [];
  breaks = false;

  get model(): ChannelModel {
    const channel = Object.assign(new EventEmitter(), {
      assertExchange: (name: string) => Promise.resolve(this.declared.push(name)),
      assertQueue: (name: string) => Promise.resolve(this.declared.push(name)),
      bindQueue: () => Promise.resolve(),
      deleteQueue: (name: string) =>
        this.breaks ? Promise.reject(new Error('channel closed')) : Promise.resolve(this.deleted.push(name)),
      close: () => Promise.resolve(),
    });
    return { createChannel: () => Promise.resolve(channel) } as unknown as ChannelModel;
  }
}

test('a deletion that fails with its connection is tried again by the next one, until it succeeds', async () => {
  const limits = { maxBytes: 1000, windowMessages: 1, windowBytes: 1000 };
  const declarations = new Declarations(new Lane(limits, new Watermarks(), systemClock), silentLogger);
  const stream = blockStream('0123456789abcdef' as TaskId);
  declarations.discard(stream);
  const [first, second, third] = [new Connection(), new Connection(), new Connection()];
  first.breaks = true;
  for (const connection of [first, second, third]) await declarations.assertAll(connection.model);
  expect([first, second, third].map(({ deleted }) => deleted)).toEqual([[], [stream.name], []]);
  expect(third.declared).toEqual([...exchanges, ...staticQueues].map(({ name }) => name));
});
