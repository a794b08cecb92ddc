import { expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { deferred, silentLogger } from '@muster/shared';
import { DrainPass } from '../src/drain.ts';
import { Patience } from '../src/patience.ts';

const source = { from: { to: 'results' }, prefetch: 1 } as const;
const never = (): Promise<never> => deferred<never>().promise;
const modelOf = (channel: Promise<unknown>): ChannelModel => ({ createChannel: () => channel }) as never;

function passOf(patience: Patience): DrainPass {
  return new DrainPass(source, { onDelivery: () => undefined, logger: silentLogger, patience });
}

test('a pass by a broker that opens no channel ends with patience; a channel that comes late is closed', async () => {
  const opening = deferred<unknown>();
  expect(await passOf(new Patience(1)).run(modelOf(opening.promise))).toBe(false);
  const closed = deferred<string>();
  opening.resolve({ close: () => Promise.resolve(closed.resolve('closed')) });
  expect(await closed.promise).toBe('closed');
});

test('a pass by a broker that does not say what there is ends with patience, and leaves no channel', async () => {
  const closed = deferred<string>();
  const close = (): Promise<void> => Promise.resolve(closed.resolve('closed'));
  const silent = Object.assign(new EventEmitter(), { checkQueue: never, cancel: never, close });
  expect(await passOf(new Patience(1)).run(modelOf(Promise.resolve(silent)))).toBe(false);
  expect(await closed.promise).toBe('closed');
});
