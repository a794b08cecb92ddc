import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { deferred, silentLogger } from '@muster/shared';
import type { QueueSource, StreamSource } from '../src/index.ts';
import { DrainPass } from '../src/drain.ts';
import { IdleTimeout } from '../src/idle-timeout.ts';

const source = { from: { to: 'results' }, prefetch: 1 } as const;
const events = { from: { to: 'events' }, offset: 0 } as const;
const never = (): Promise<never> => deferred<never>().promise;
const modelOf = (channel: Promise<unknown>): ChannelModel => ({ createChannel: () => channel }) as never;

function passOf(idle: IdleTimeout, from: QueueSource | StreamSource = source): DrainPass {
  return new DrainPass(from, { onDelivery: () => undefined, logger: silentLogger, idle });
}

const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

test('a pass by a broker that opens no channel ends with idle; a channel that comes late is closed', async () => {
  const opening = deferred<unknown>();
  expect(await passOf(new IdleTimeout(1)).run(modelOf(opening.promise))).toBe(false);
  const closed = deferred<string>();
  opening.resolve({ close: () => Promise.resolve(closed.resolve('closed')) });
  expect(await closed.promise).toBe('closed');
});

test('a pass by a broker that does not say what there is ends with idle, and leaves no channel', async () => {
  const closed = deferred<string>();
  const close = (): Promise<void> => Promise.resolve(closed.resolve('closed'));
  const silent = Object.assign(new EventEmitter(), { checkQueue: never, cancel: never, close });
  expect(await passOf(new IdleTimeout(1)).run(modelOf(Promise.resolve(silent)))).toBe(false);
  expect(await closed.promise).toBe('closed');
});

test('a pass whose channel ends before the last message of a stream has come leaves no timer, which would keep the process', async () => {
  const consuming = deferred<void>();
  const channel = Object.assign(new EventEmitter(), {
    checkQueue: () => Promise.resolve({ messageCount: 1 }),
    prefetch: () => Promise.resolve(),
    consume: () => Promise.resolve(consuming.resolve()).then(() => ({ consumerTag: 'probe' })),
    cancel: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const before = timers();
  const idle = new IdleTimeout(60_000);
  const ended = passOf(idle, events).run(modelOf(Promise.resolve(channel)));
  await consuming.promise;
  await new Promise(setImmediate);
  channel.emit('close');
  await expect(ended).rejects.toThrow('channel closed');
  idle.end();
  expect(timers()).toBe(before);
});
