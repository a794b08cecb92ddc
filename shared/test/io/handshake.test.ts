import { describe, expect, test } from '@jest/globals';
import { firstHandshake, type SocketEvent } from '@muster/shared/io';

/** Yields events of these types, and then notes that all of them were read. */
async function* eventsOf(read: string[], ...types: readonly string[]): AsyncGenerator<SocketEvent> {
  for (const type of types) {
    await Promise.resolve();
    yield { type };
  }
  read.push('to the end');
}

describe('the first handshake', () => {
  test.each([
    ['handshake', ['connect', 'handshake', 'disconnect', 'handshake:error:auth']],
    ['handshake:error:auth', ['connect', 'handshake:error:auth', 'connect:retry', 'handshake']],
    ['nothing', ['connect:delay', 'close']],
  ])('is %s', async (outcome, types) => {
    expect(await firstHandshake(eventsOf([], ...types))).toBe(outcome);
  });

  test('is known before the socket is closed, and what follows it is read all the same', async () => {
    const read: string[] = [];
    const outcome = await firstHandshake(eventsOf(read, 'handshake', 'disconnect', 'close'));
    expect([outcome, read]).toEqual(['handshake', []]);
    await new Promise(setImmediate);
    expect(read).toEqual(['to the end']);
  });

  test('fails with its events', async () => {
    const next = (): Promise<never> => Promise.reject(new Error('Address already in use'));
    const failing: AsyncIterable<SocketEvent> = { [Symbol.asyncIterator]: () => ({ next }) };
    await expect(firstHandshake(failing)).rejects.toThrow('Address already in use');
  });
});
