import { afterEach, describe, expect, test } from '@jest/globals';
import type { BlockId, ProviderId, TaskId, TaskPlan, TaskStatus } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import type { JournalRecord } from '../../src/core/journal-record.ts';
import { Journal } from '../../src/io/journal.ts';
import { seal } from '../../src/io/sealed-value.ts';

const directories = new TemporaryDirectories();
const opened: Journal[] = [];

afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close();
  directories.removeAll();
});

async function open(directory: string): Promise<Journal> {
  const journal = await Journal.open({ directory });
  opened.push(journal);
  return journal;
}

async function reopen(journal: Journal, directory: string): Promise<Journal> {
  opened.splice(opened.indexOf(journal), 1);
  await journal.close();
  return open(directory);
}

const A = '00000000000000aa' as TaskId;
const B = '00000000000000bb' as TaskId;
const NODE = '1111111111111111' as ProviderId;

const task = (id: TaskId): JournalRecord => ({
  type: 'task',
  task: id,
  name: 'matrix_mult',
  spec: { m: 1, k: 2, n: 3, weights: new Uint8Array([1, 2, 255]) },
  nodes: 2,
  durability: 'mirrored',
  waitNodesMs: Infinity,
  timeoutMs: 1000,
  acceptedWallMs: 7,
});
const bound = (id: TaskId, block: number): JournalRecord => ({
  type: 'bound',
  task: id,
  operand: 'A',
  block,
  id: 'ab'.repeat(16) as BlockId,
  bytes: 10,
});
const subtask = (id: TaskId, index: number): JournalRecord => ({
  type: 'subtask',
  task: id,
  index,
  provider: NODE,
  attempt: 1,
  bytes: 4,
  digest: 'cd'.repeat(16),
  computeMs: 5,
  fetchMs: 1,
});
const plan: TaskPlan = {
  subtasks: 9,
  batch: 1,
  homes: [0],
  nodes: 1,
  forecast: [],
  advice: '',
  layout: { tiles: [[0, 1, 0]] },
};

describe('the journal', () => {
  test('gives every task back as it was written, after a restart', async () => {
    const directory = directories.make();
    const journal = await open(directory);
    const ended: JournalRecord = { type: 'ended', task: B, status: { state: 'done' } as TaskStatus, endedWallMs: 9 };
    const ranges: JournalRecord = {
      type: 'subtasks',
      task: B,
      ranges: [0, 5, 7, 9],
      provider: NODE,
      computeMs: 5,
      fetchMs: 1,
    };
    journal.append([task(A)]);
    journal.append([task(B), bound(A, 0), bound(A, 1)]);
    journal.append([{ type: 'planned', task: A, plan }, subtask(A, 4), ranges]);
    journal.append([subtask(A, 2), ended]);
    await journal.durable();
    const expected = [
      {
        record: task(A),
        bound: [bound(A, 0), bound(A, 1)],
        plan,
        subtasks: [subtask(A, 4), subtask(A, 2)],
        ranges: [],
        ended: null,
        epoch: 1,
      },
      { record: task(B), bound: [], plan: null, subtasks: [], ranges: [ranges], ended, epoch: 1 },
    ];
    expect([...journal.replay()]).toEqual(expected);
    const again = await reopen(journal, directory);
    expect([...again.replay()]).toEqual(expected);
    again.append([subtask(A, 8)]);
    await again.durable();
    expect(again.history(A)?.subtasks).toEqual([subtask(A, 4), subtask(A, 2), subtask(A, 8)]);
    expect(again.history(B)).toEqual(expected[1]);
    expect(again.history('00000000000000cc' as TaskId)).toBeNull();
  });

  test('forgets a task wholly, also what was appended just before, and takes it anew', async () => {
    const directory = directories.make();
    const journal = await open(directory);
    journal.append([task(A), task(B)]);
    await journal.durable();
    journal.append([subtask(A, 1)]);
    journal.append([subtask(A, 2), { type: 'forgotten', task: A }]);
    await journal.durable();
    expect([...journal.replay()].map(({ record }) => record.task)).toEqual([B]);
    journal.append([{ type: 'forgotten', task: B }, task(B), subtask(B, 3)]);
    // Came too late; a restart drops it.
    journal.append([subtask(A, 3)]);
    const again = await reopen(journal, directory);
    expect([...again.replay()]).toMatchObject([{ record: { task: B }, subtasks: [{ index: 3 }] }]);
  });

  test('counts its lives and keeps its name', async () => {
    const directory = directories.make();
    const first = await open(directory);
    expect(first.epoch).toBe(1);
    expect(first.headId).toMatch(/^[0-9a-f]{16}$/);
    const { headId } = first;
    const second = await reopen(first, directory);
    expect([second.epoch, second.headId]).toEqual([2, headId]);
  });

  test('takes ten thousand accepted subtasks a second easily', async () => {
    const journal = await open(directories.make());
    journal.append([task(A)]);
    const startedMs = performance.now();
    for (let batch = 0; batch < 100; batch++) {
      journal.append(Array.from({ length: 100 }, (_, at) => subtask(A, batch * 100 + at)));
    }
    await journal.durable();
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(journal.history(A)?.subtasks.map(({ index }) => index)).toEqual(
      Array.from({ length: 10_000 }, (_, at) => at),
    );
  });

  test('tells in which life of the head the latest of a task was written', async () => {
    const directory = directories.make();
    const first = await open(directory);
    first.append([task(A), subtask(A, 0), task(B)]);
    const second = await reopen(first, directory);
    second.append([subtask(A, 1)]);
    const third = await reopen(second, directory);
    const epochs = [...third.replay()].map(({ record, epoch }) => [record.task, epoch]);
    expect(epochs).toEqual([
      [A, 2],
      [B, 1],
    ]);
    expect([A, B].map((id) => third.history(id)?.epoch)).toEqual([2, 1]);
  });

  test('what was durable survives SIGKILL, and the lock of the dead is taken over', async () => {
    const directory = directories.make();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'children/journal-child.mjs'), directory, '200'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(line.toString()).toBe('durable 1\n');
    const inUse = expect.objectContaining({ code: 'STATE_IN_USE', why: expect.stringContaining(String(child.pid)) });
    await expect(Journal.open({ directory })).rejects.toEqual(inUse);
    child.kill('SIGKILL');
    await exited;
    const journal = await open(directory);
    expect(journal.epoch).toBe(2);
    const histories = [...journal.replay()];
    expect(histories).toHaveLength(200);
    expect(histories[199]?.ranges[0]?.ranges).toEqual([0, 199]);
  });
});

describe('the lock', () => {
  test('is held by one, also within a process, and freed by close', async () => {
    const directory = directories.make();
    const journal = await open(directory);
    await expect(Journal.open({ directory })).rejects.toMatchObject({ code: 'STATE_IN_USE' });
    const again = await reopen(journal, directory);
    expect(again.epoch).toBe(2);
    expect(existsSync(join(directory, 'lock'))).toBe(true);
  });

  test('of a process number that another program has now is taken over', async () => {
    const directory = directories.make();
    // The parent lives, but started at another time than the lock says.
    writeFileSync(join(directory, 'lock'), `${process.ppid} another-boot 1`);
    expect((await open(directory)).epoch).toBe(1);
  });

  test('from before the machine was started is taken over', async () => {
    const directory = directories.make();
    writeFileSync(join(directory, 'lock'), `${process.ppid} `);
    utimesSync(join(directory, 'lock'), 1000, 1000);
    expect((await open(directory)).epoch).toBe(1);
  });
});

describe('a damaged journal is STATE_CORRUPT, exit 65', () => {
  const corrupt = expect.objectContaining({
    code: 'STATE_CORRUPT',
    exit: 65,
    fix: expect.stringContaining('state directory'),
  });

  async function written(): Promise<{ directory: string; path: string }> {
    const directory = directories.make();
    const journal = await Journal.open({ directory });
    for (let at = 0; at < 2000; at++) journal.append([task(A), subtask(A, at)]);
    await journal.close();
    return { directory, path: join(directory, 'journal.mdb') };
  }

  async function replayed(directory: string): Promise<number> {
    const journal = await open(directory);
    return [...journal.replay()].length;
  }

  test('another kind of file', async () => {
    const { directory, path } = await written();
    writeFileSync(path, 'this is no database '.repeat(1000));
    await expect(replayed(directory)).rejects.toEqual(corrupt);
    // The lock is free again.
    await expect(replayed(directory)).rejects.toEqual(corrupt);
  });

  test('a file that was cut short', async () => {
    for (const share of [0.9, 0.5, 0.1]) {
      const { directory, path } = await written();
      truncateSync(path, Math.floor(statSync(path).size * share));
      await expect(replayed(directory)).rejects.toEqual(corrupt);
    }
  });

  test('a changed byte in a record', async () => {
    const { directory, path } = await written();
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf('matrix_mult');
    for (let i = bytes.indexOf('matrix_mult'); i >= 0 && i <= at; i = bytes.indexOf('matrix_mult', i + 1))
      bytes[i] = 0x58;
    writeFileSync(path, bytes);
    await expect(replayed(directory)).rejects.toEqual(corrupt);
  });

  test('another format version', async () => {
    const { directory, path } = await written();
    const root = openLmdb<Buffer, string>({ path, encoding: 'binary', maxDbs: 4 });
    await root.openDB<Buffer, string>({ name: 'facts', encoding: 'binary' }).put('format', seal(99));
    await root.close();
    await expect(replayed(directory)).rejects.toMatchObject({
      code: 'STATE_CORRUPT',
      why: expect.stringContaining('99'),
    });
  });
});
