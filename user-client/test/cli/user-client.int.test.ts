import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesOf, noBackbone, npyHeader, zeros, type Dtype, type Elements } from '@muster/shared';
import { maxAbsError, naiveProduct, waitUntil } from '@muster/shared/testkit';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FakeHead } from '../support/fake-head.ts';
import { Stage } from '../support/stage.ts';

const BIN = fileURLToPath(new URL('../../bin/user-client.mjs', import.meta.url));

let stage: Stage;
let head: FakeHead;
const children: ChildProcess[] = [];

beforeEach(async () => {
  stage = new Stage();
  head = await stage.startHead();
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await stage.clear();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(line: string, env: Record<string, string> = {}): Running {
  const words = line.split(' ').filter((word) => word !== '');
  const child = spawn(process.execPath, [BIN, ...words], {
    cwd: stage.directory,
    env: {
      PATH: process.env['PATH'],
      XDG_STATE_HOME: process.env['XDG_STATE_HOME'],
      MUSTER_PORT_BASE: String(head.endpoint.portBase),
      ...env,
    },
  });
  children.push(child);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout: stdout.join(''), stderr: stderr.join('') }));
  });
  return { child, ended };
}

const run = (line: string, env: Record<string, string> = {}): Promise<Ended> => start(line, env).ended;

function collect(stream: NodeJS.ReadableStream): string[] {
  const parts: string[] = [];
  stream.on('data', (part: Buffer) => parts.push(part.toString()));
  return parts;
}

function writeNpy(
  name: string,
  dtype: Dtype,
  { shape, elements }: { shape: [number, number]; elements: Elements },
): void {
  writeFileSync(join(stage.directory, name), Buffer.concat([npyHeader(dtype, shape), bytesOf(elements)]));
}

describe('a product', () => {
  test('of files, to a file, with --json: one object on stdout and nothing else', async () => {
    const [a, b] = [
      Float32Array.from({ length: 6 }, (_, at) => at),
      Float32Array.from({ length: 12 }, (_, at) => 1 - at),
    ];
    writeNpy('A.npy', 'float32', { shape: [2, 3], elements: a });
    writeNpy('B.npy', 'float32', { shape: [3, 4], elements: b });
    const { code, stdout, stderr } = await run('--task matrix_mult --nodes 1 --a A.npy --b B.npy --out C.npy --json');
    expect(stderr).toContain('verification:');
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'done',
      task: 'matrix_mult',
      shape: [2, 3, 4],
      dtype: 'float32',
      out: 'C.npy',
    });
    const file = readFileSync(join(stage.directory, 'C.npy'));
    expect(file.subarray(0, 128)).toEqual(npyHeader('float32', [2, 4]));
    const expected = zeros('float32', 8);
    expected.set(naiveProduct({ a, b }, [2, 3, 4]));
    expect(maxAbsError(new Float32Array(new Uint8Array(file.subarray(128)).buffer), expected)).toBe(0);
  });

  test('of random matrices: nothing on stdout, and the next command on stderr', async () => {
    const { code, stdout, stderr } = await run('--task matrix_mult --nodes 1 --size 70 --dtype int8');
    const [taskId] = head.memory.tasks.keys();
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`user-client tasks result ${taskId} --out C.npy`);
    expect(stderr).not.toContain('\u001B');
  });

  test('detached, then watched and fetched', async () => {
    const detached = await run('--task matrix_mult --nodes 1 --size 20 --detach --json');
    const { taskId, state } = JSON.parse(detached.stdout);
    expect(Object.keys(JSON.parse(detached.stdout))).toEqual(['taskId', 'state']);
    expect(['waiting', 'done']).toContain(state);
    const watched = await run(`tasks watch ${taskId} --json`);
    expect(JSON.parse(watched.stdout)).toMatchObject({ taskId, state: 'done' });
    const fetched = await run(`tasks result ${taskId} --out C.npy`);
    expect({ code: fetched.code, stdout: fetched.stdout }).toEqual({ code: 0, stdout: 'C.npy\n' });
    expect(readFileSync(join(stage.directory, 'C.npy')).length).toBe(128 + 4 * 400);
  });

  test('without --nodes: as many as are ready', async () => {
    head.memory.nodes = [node('one', 'ready'), node('two', 'busy'), node('three', 'lost')];
    await run('--task matrix_mult --size 8');
    expect([...head.memory.tasks.values()].map(({ submission }) => submission.nodes)).toEqual([2]);
  });
});

test('an echo', async () => {
  const { code, stdout } = await run('--task echo --count 30 --bytes 16 --batch 5 --nodes 2 --timeout 20s --json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'done', task: 'echo', shape: [30], latencyMs: { p50: 1, p99: 2 } });
  const [task] = head.memory.tasks.values();
  expect(task?.submission).toMatchObject({
    spec: { count: 30, bytes: 16, batch: 5 },
    nodes: 2,
    waitNodesMs: 30_000,
    timeoutMs: 20_000,
  });
});

describe('looking', () => {
  test('nodes ls', async () => {
    head.memory.nodes = [node('one', 'ready')];
    const { stdout } = await run('nodes ls --json');
    expect(JSON.parse(stdout)).toMatchObject({
      nodes: [{ name: 'one', state: 'ready', device: 'cpu', gflops: 90, rates: { int8: 380 } }],
    });
    expect((await run('nodes ls')).stdout).toMatch(/^NODE.*\n.*one.*90\.0 GFLOP\/s +1\.0 GiB +12 MB\/s/);
  });

  test('nodes ls says what is wrong at the broker', async () => {
    expect((await run('nodes ls')).stdout).toMatch(/^backbone: off$/m);
    head.memory.backbone = { ...noBackbone, state: 'up', muteQueues: 1, dead: 3 };
    const { stdout } = await run('nodes ls');
    expect(stdout).toMatch(/^backbone: up, queues that confirm nothing: 1, messages in the queue dead: 3$/m);
  });

  test('tasks ls, show and cancel', async () => {
    head.held = true;
    const { stdout } = await run('--task echo --count 5 --nodes 1 --detach');
    const taskId = stdout.trim();
    expect(JSON.parse((await run('tasks ls --json')).stdout)).toMatchObject({ tasks: [{ taskId, task: 'echo' }] });
    expect((await run('tasks ls')).stdout).toContain(`${taskId}  waiting  echo 5`);
    expect((await run(`tasks show ${taskId}`)).stdout).toContain('state: waiting');
    expect(JSON.parse((await run(`tasks cancel ${taskId} --json`)).stdout)).toEqual({ taskId, state: 'cancelled' });
    expect(JSON.parse((await run(`tasks show ${taskId} --json`)).stdout)).toMatchObject({ taskId, state: 'cancelled' });
  });

  test('a closed pipe is no error', async () => {
    const { child, ended } = start('nodes ls');
    child.stdout?.destroy();
    const { stderr } = await ended;
    expect(stderr).toBe('');
  });
});

const errorIn = (stdout: string): Record<'code' | 'what' | 'why' | 'fix', string> =>
  (JSON.parse(stdout) as { error: Record<'code' | 'what' | 'why' | 'fix', string> }).error;

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await run('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
});

describe('what goes wrong', () => {
  const lines = (stderr: string): RegExpMatchArray | null => stderr.match(/^error: .*\n {2}why: .*\n {2}fix: .*\n$/);

  test.each([
    ['--task matrix_mult --node 2 --size 8', 2, /unknown option '--node'[^]*--nodes/],
    ['--task matrix_mult --nodes 0 --size 8', 2, /--nodes needs/],
    ['--task matrix_mult --size -5', 2, /--size needs/],
    ['tasks lss', 2, /tasks ls/],
    ['tsks ls', 2, /has no command 'tsks'[^]*did you mean 'tasks'[^]*fix: user-client tasks/],
    ['tasks', 2, /needs a command/],
    ['tasks show', 2, /missing required argument/],
    ['tasks result 0123456789abcdef', 2, /--out is missing/],
    ['tasks show 0123456789abcdef', 2, /TASK_UNKNOWN/],
    ['--task matrix_mult --a no.npy --b no.npy', 65, /no.npy cannot be read/],
    ['--task matrix_mult --size 8 --out no/C.npy', 65, /no\/C.npy cannot be written/],
    ['--task matrix_mult --a float32-2x3.npy --b float32-2x3.npy', 65, /SHAPE_MISMATCH[^]*3 is not 2/],
    ['--task matrix_mult --a float32-2x3.npy --b float64-3x2.npy', 65, /element types differ[^]*astype\('<f4'\)/],
    [
      '--task matrix_mult --a float32-2x3.npy --b float32-2x3.npy --dtype float64',
      65,
      /is not float64[^]*astype\('<f8'\)/,
    ],
  ])('%s: exit %d in three lines, and the head has heard nothing', async (line, exit, text) => {
    writeNpy('float32-2x3.npy', 'float32', { shape: [2, 3], elements: new Float32Array(6) });
    writeNpy('float64-3x2.npy', 'float64', { shape: [3, 2], elements: new Float64Array(6) });
    const { code, stdout, stderr } = await run(`${line} --json`);
    expect(code).toBe(exit);
    expect(errorIn(stdout)).toEqual(
      expect.objectContaining({ exit, why: expect.any(String), fix: expect.any(String) }),
    );
    expect(stderr).toContain(`error: ${errorIn(stdout).what} (${errorIn(stdout).code}, exit ${exit})`);
    expect(stderr).toMatch(text);
    expect(lines(stderr)).not.toBeNull();
    expect(head.count('submit')).toBe(0);
    expect(readdirSync(stage.directory).toSorted()).toEqual(['float32-2x3.npy', 'float64-3x2.npy']);
  });

  test('no head: exit 3', async () => {
    head.close();
    const { code, stdout, stderr } = await run('nodes ls --json');
    expect({ code, error: errorIn(stdout) }).toMatchObject({
      code: 3,
      error: { code: 'HEAD_UNREACHABLE', exit: 3, retryable: true },
    });
    expect(lines(stderr)).not.toBeNull();
  });

  test('a name that nobody knows: exit 3, and it is the name', async () => {
    const { code, stderr } = await run('nodes ls --head nohost.invalid --timeout 1s');
    expect(code).toBe(3);
    expect(stderr).toMatch(/'nohost.invalid' leads nowhere[^]*looking it up/);
  }, 10_000);

  test('too late: exit 6, cancelled on the head', async () => {
    head.held = true;
    const { code, stderr } = await run('--task echo --count 5 --nodes 1 --timeout 100ms');
    expect(code).toBe(6);
    expect(stderr).toContain('TIMEOUT');
    expect([...head.memory.tasks.values()].map(({ status }) => status.state)).toEqual(['cancelled']);
  });

  test('not enough nodes: how many are ready, then exit 5', async () => {
    head.held = true;
    head.memory.nodes = [node('one', 'ready')];
    const { child, ended } = start('--task echo --count 5 --nodes 3 --wait-nodes 25s');
    const stderr = collect(child.stderr!);
    await waitUntil(() => stderr.join('').includes('waiting for nodes: 1 of 3 ready'), { what: 'the wait' });
    expect(stderr.join('')).not.toContain('waiting for nodes: 0 of 3');
    const [task] = head.memory.tasks.values();
    head.end(task!.id, {
      state: 'failed',
      error: { code: 'NOT_ENOUGH_NODES', what: 'only 1 of 3', why: 'w', fix: 'f' },
    });
    expect((await ended).code).toBe(5);
  }, 15_000);

  test('a task of which one asks for the result too early: exit 1', async () => {
    head.held = true;
    const { stdout } = await run('--task matrix_mult --size 8 --nodes 1 --detach');
    const { code, stderr } = await run(`tasks result ${stdout.trim()} --out C.npy`);
    expect(code).toBe(1);
    expect(stderr).toContain('TASK_NOT_DONE');
    expect(readdirSync(stage.directory)).toEqual([]);
  });

  test('SIGINT: the task is cancelled, exit 130, no file is left', async () => {
    head.held = true;
    const { child, ended } = start('--task matrix_mult --nodes 1 --size 8 --out C.npy');
    await waitUntil(() => head.count('watch') > 0, { what: 'the task' });
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    const [task] = head.memory.tasks.values();
    expect(stderr).toContain(
      `why: SIGINT came; task ${task!.id} is stopped on the head, unless it had ended\n  fix: add --detach`,
    );
    expect([...head.memory.tasks.values()].map(({ status }) => status.state)).toEqual(['cancelled']);
    expect(readdirSync(stage.directory)).toEqual([]);
  });

  test('SIGINT while watching: the task goes on', async () => {
    head.held = true;
    const { stdout } = await run('--task echo --count 5 --nodes 1 --detach');
    const { child, ended } = start(`tasks watch ${stdout.trim()}`);
    await waitUntil(() => head.count('watch') > 1, { what: 'the watch' });
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).not.toContain('stopped on the head');
    expect(head.count('cancel')).toBe(0);
  });

  test('SIGINT while the head is away: the task may go on, and the command that cancels it', async () => {
    head.held = true;
    const { child, ended } = start('--task matrix_mult --nodes 1 --size 8 --out C.npy');
    await waitUntil(() => head.count('watch') > 0, { what: 'the task' });
    const [task] = head.memory.tasks.values();
    head.close();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain(`the head does not answer, so task ${task!.id} may go on there`);
    expect(stderr).toContain(`fix: user-client tasks cancel ${task!.id} `);
  });
});

test('a head that is killed and comes back: the command goes on', async () => {
  head.held = true;
  const { ended } = start('--task matrix_mult --nodes 1 --size 40 --out C.npy');
  await waitUntil(() => head.count('watch') > 0, { what: 'the task' });
  head.close();
  await stage.startHead({ port: head.port, epoch: 2, memory: head.memory });
  expect(await ended).toMatchObject({ code: 0 });
  expect(readdirSync(stage.directory)).toEqual(['C.npy']);
}, 15_000);

test('NO_COLOR, TERM=dumb and a pipe give plain text', async () => {
  const { stderr } = await run('--task echo --count 5 --nodes 1', { NO_COLOR: '1', TERM: 'dumb' });
  expect(stderr).not.toContain('\u001B');
});

const node = (name: string, state: 'ready' | 'busy' | 'lost'): FakeHead['memory']['nodes'][number] => ({
  id: 'aaaaaaaaaaaaaaaa',
  name,
  state,
  reason: '',
  platform: 'linux-x64',
  device: 'cpu',
  label: 'test CPU',
  threads: 1,
  memoryBytes: 2 ** 30,
  gflops: { float32: 90, float64: 44, int8: 380 },
  running: 0,
  accepted: 0,
  rejected: 0,
  sharesStore: false,
  linkBytesPerMs: 11_800,
  heartbeatAgeMs: 10,
  refused: [],
});
