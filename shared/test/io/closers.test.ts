import { describe, expect, test } from '@jest/globals';
import { Closers } from '@muster/shared/io';

function opened(...names: readonly string[]): { readonly closers: Closers; readonly log: string[] } {
  const [closers, log] = [new Closers(), [] as string[]];
  for (const name of names)
    closers.add(async () => {
      await Promise.resolve();
      log.push(name);
    });
  return { closers, log };
}

describe('closers', () => {
  test('close in reverse, one after the other, once', async () => {
    const { closers, log } = opened('lock', 'journal', 'sockets');
    await Promise.all([closers.close(), closers.close()]);
    expect(log).toEqual(['sockets', 'journal', 'lock']);
  });

  test('close the others where one fails, and tell the first failure', async () => {
    const { closers, log } = opened('lock');
    closers.add(() => {
      throw new Error('second');
    });
    closers.add(() => Promise.reject(new Error('first')));
    await expect(closers.close()).rejects.toThrow('first');
    expect(log).toEqual(['lock']);
  });

  test('close what was opened before something that does not open', async () => {
    const { closers, log } = opened('lock', 'journal');
    closers.add(() => Promise.reject(new Error('of closing')));
    await expect(closers.guard(() => Promise.reject(new Error('no trainer')))).rejects.toThrow('no trainer');
    expect(log).toEqual(['journal', 'lock']);
  });

  test('leave open what has opened', async () => {
    const { closers, log } = opened('lock');
    expect(await closers.guard(() => Promise.resolve(7))).toBe(7);
    expect(log).toEqual([]);
  });
});
