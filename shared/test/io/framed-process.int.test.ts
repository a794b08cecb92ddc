import { afterEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryDirectories } from '../../src/testkit/temporary-directories.ts';
import { waitUntil } from '../../src/testkit/wait-until.ts';
import { startFramedProcess, type FramedProcess } from '../../src/io/framed-process.ts';

type Calls = {
  echo: { ask: unknown; answer: unknown };
  later: { ask: number; answer: number };
  refuse: { ask: null; answer: null };
  crash: { ask: null; answer: null };
  garbage: { ask: null; answer: null };
  spin: { ask: null; answer: null };
  nothing: { ask: null; answer: null };
};

const lines: string[] = [];
const directories = new TemporaryDirectories();
const started: FramedProcess<Calls>[] = [];

function start(script = join(import.meta.dirname, 'children/framed-child.mjs')): FramedProcess<Calls> {
  const child = startFramedProcess<Calls>({ script, title: 'test', onStderr: (line) => lines.push(line) });
  started.push(child);
  return child;
}

afterEach(async () => {
  lines.length = 0;
  for (const child of started.splice(0)) {
    child.kill();
    await child.ended;
  }
  directories.removeAll();
});

describe('a framed process', () => {
  test('answers calls, with bytes of any size', async () => {
    const child = start();
    expect(await child.call('echo', { a: [1, null, 'x', 1.5, Infinity] })).toEqual({
      a: [1, null, 'x', 1.5, Infinity],
    });
    for (const length of [0, 1, 70_000, 5_000_000]) {
      const bytes = new Uint8Array(length).fill(7);
      expect(Buffer.compare((await child.call('echo', bytes)) as Uint8Array, bytes)).toBe(0);
    }
  });

  test('runs one call at a time, in order', async () => {
    const child = start();
    const order: number[] = [];
    const note = (ms: number): void => void order.push(ms);
    await Promise.all([child.call('later', 50).then(note), child.call('later', 1).then(note)]);
    expect(order).toEqual([50, 1]);
  });

  test('answers before a next call blocks it', async () => {
    const child = start();
    const answered = child.call('later', 1);
    const spinning = child.call('spin', null);
    expect(await answered).toBe(1);
    child.kill('enough');
    await expect(spinning).rejects.toMatchObject({ code: 'COMPUTE_FAILED', why: 'enough' });
    expect(await child.ended).toBe('enough');
  });

  test('leaves SIGINT and SIGTERM to its parent', async () => {
    const child = start();
    await child.call('echo', 1);
    const call = child.call('later', 50);
    process.kill(child.pid, 'SIGINT');
    process.kill(child.pid, 'SIGTERM');
    expect(await call).toBe(50);
    await child.stop(60_000);
    expect(await child.ended).toBe('ended with 0');
  });

  test('does not outlive a killed parent: it ends after the call that runs', async () => {
    const log = join(directories.make(), 'log');
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'children/framed-parent.mjs'), log]);
    await once(parent.stdout, 'data');
    parent.kill('SIGKILL');
    const logged = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
    await waitUntil(() => logged().includes('ended'), { what: 'the end of the child' });
    expect(logged()).toBe('started\norphaned\nended\n');
  });

  test('passes errors on with code, reason and fix', async () => {
    const child = start();
    const refusal = { code: 'BLOCK_MISSING', message: 'no such block', why: 'asked for x', fix: 'send it' };
    await expect(child.call('refuse', null)).rejects.toMatchObject(refusal);
    await expect(child.call('nothing', null)).rejects.toMatchObject({ code: 'BUG' });
    expect(child.alive).toBe(true);
  });

  test('its death rejects what waits and what comes later, with its last words', async () => {
    const child = start();
    const crash = child.call('crash', null);
    const waiting = child.call('echo', 1);
    await expect(crash).rejects.toMatchObject({ code: 'COMPUTE_FAILED', why: 'ended with 3: last words' });
    await expect(waiting).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
    await expect(child.call('echo', 1)).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
    expect(await child.ended).toBe('ended with 3: last words');
    expect(child.alive).toBe(false);
    expect(lines).toEqual(['last words']);
  });

  test('can be killed while it computes', async () => {
    const child = start();
    await child.call('echo', 1);
    const spinning = child.call('spin', null);
    child.kill();
    await expect(spinning).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
    expect(await child.ended).toBe('killed by SIGKILL');
  });

  test('a child that prints to standard output is ended', async () => {
    await expect(start().call('garbage', null)).rejects.toMatchObject({
      why: expect.stringContaining('standard output'),
    });
  });

  test('stop lets calls finish, and kills what does not end in time', async () => {
    const child = start();
    const call = child.call('later', 50);
    await child.stop(60_000);
    expect(await call).toBe(50);
    expect(await child.ended).toBe('ended with 0');

    const stuck = start();
    await stuck.call('echo', 1);
    const [spinning] = await Promise.allSettled([stuck.call('spin', null), stuck.stop(1)]);
    expect(spinning).toMatchObject({ status: 'rejected', reason: { code: 'COMPUTE_FAILED' } });
    expect(await stuck.ended).toBe('stopped');
  });

  test('a script that is not there is a death like any other', async () => {
    await expect(start('/nowhere.mjs').call('echo', 1)).rejects.toMatchObject({ code: 'COMPUTE_FAILED' });
  });
});
