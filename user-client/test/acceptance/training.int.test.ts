/** Training and inference as people use them, on a head and two real nodes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { npyArrayHeader, readSafetensorsMetadata, type TaskBrief, type TaskStatus } from '@muster/shared';
import { ClusterUnderTest, skipBecause, waitUntil, type Outcome } from '@muster/shared/testkit';
import { connectClient, type ClusterClient } from '../../src/index.ts';
import { hasNumpy, python } from './numpy.ts';

const numpyTest = hasNumpy ? test : skipBecause('python3 with NumPy is not installed');

let cluster: ClusterUnderTest;
let observer: ClusterClient;

beforeAll(async () => {
  cluster = await ClusterUnderTest.start({ providers: 2, providerArguments: ['--threads', '1'] });
  observer = await connectClient(cluster.endpoint);
}, 60_000);

afterAll(async () => {
  await observer.close();
  await cluster.end();
}, 20_000);

const DATA = 'synthetic:3000';
const train = (...args: readonly string[]): Promise<Outcome> => cluster.run('--task', 'train', '--data', DATA, ...args);

interface Trained {
  readonly taskId: string;
  readonly steps: number;
  readonly loss: number;
  readonly testAccuracy: number;
  readonly weightsSha256: string;
}

function trainedIn({ code, stdout, stderr }: Outcome): Trained {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as Trained;
}

/** safetensors without its library: a length, JSON, elements. Then the network in NumPy, beside what the cluster gave for the same rows. */
const COMPARE = `
import json, struct, sys, numpy as np
weights_path, x_path, y_path = sys.argv[1:]
raw = open(weights_path, 'rb').read()
length = struct.unpack('<Q', raw[:8])[0]
header = json.loads(raw[8:8 + length])
meta = header.pop('__metadata__')
def tensor(entry):
    start, end = entry['data_offsets']
    return np.frombuffer(raw[8 + length + start:8 + length + end], '<f4').reshape(entry['shape'])
w = {name: tensor(entry) for name, entry in header.items()}
try:
    from safetensors.numpy import load_file
    assert all((load_file(weights_path)[name] == w[name]).all() for name in w)
except ImportError:
    pass
h = np.load(x_path).reshape(-1, 784).astype('f8')
for at, name in enumerate(sorted({n.rsplit('.', 1)[0] for n in w})):
    h = (np.maximum(h, 0) if at else h) @ w[name + '.weight'] + w[name + '.bias']
y = np.load(y_path)
print(json.dumps({'shape': y.shape, 'error': float(np.abs(y - h).max()), 'names': sorted(w), 'facts': sorted(meta)}))
`;

const MAKE_ROWS = `
import sys, numpy as np
np.save(sys.argv[1], np.random.default_rng(1).random((2500, 1, 28, 28), dtype='f4'))
`;

describe('a network is trained on two nodes', () => {
  test('and learns; --json tells all about it', async () => {
    const said = trainedIn(await train('--model', 'mlp', '--nodes', '2', '--epochs', '3', '--batch', '64', '--json'));
    expect(said).toMatchObject({ state: 'done', task: 'train', steps: 129, epochs: 3, disputed: 0 });
    expect(said.testAccuracy).toBeGreaterThan(0.9);
    expect(said.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(said)).toEqual(
      expect.arrayContaining([
        'loss',
        'trainAccuracy',
        'samplesPerSecond',
        'wallMs',
        'nodes',
        'retries',
        'bytesSent',
        'bytesReceived',
        'late',
        'audited',
        'split',
      ]),
    );
  }, 60_000);

  numpyTest(
    'its weights are read by others, and its ONNX file gives the same on the cluster',
    async () => {
      const [weights, onnx, x, y] = ['m.safetensors', 'm.onnx', 'x.npy', 'y.npy'].map((name) => cluster.file(name)) as [
        string,
        string,
        string,
        string,
      ];
      const run = ['--model', 'mlp', '--nodes', '2', '--epochs', '1', '--out', weights, '--onnx', onnx];
      expect(await train(...run)).toMatchObject({ code: 0, stdout: '' });
      python(MAKE_ROWS, x);
      const args = ['--model', onnx, '--input', x, '--out', y, '--rows-per-block', '300'];
      const inferred = await cluster.run('--task', 'infer', '--nodes', '2', ...args, '--json');
      expect(inferred).toMatchObject({ code: 0 });
      expect(JSON.parse(inferred.stdout)).toMatchObject({ state: 'done', task: 'infer', shape: [2500, 10], out: y });
      const seen = JSON.parse(python(COMPARE, weights, x, y)) as { shape: number[]; error: number; names: string[] };
      expect(seen).toMatchObject({ shape: [2500, 10], facts: expect.arrayContaining(['model', 'weightsSha256']) });
      expect(seen.names).toHaveLength(6);
      expect(seen.error).toBeLessThan(1e-4);
    },
    60_000,
  );

  test('--deterministic: the same weights on one node and on two', async () => {
    const run = ['--model', 'mlp', '--epochs', '1', '--batch', '100', '--deterministic', '--seed', '5', '--json'];
    const one = trainedIn(await train(...run, '--nodes', '1'));
    const two = trainedIn(await train(...run, '--nodes', '2'));
    expect(two.weightsSha256).toBe(one.weightsSha256);
  }, 60_000);

  test.each([
    ['bf16', 0.85],
    ['int8', 0.85],
    // What is left out comes later: 129 steps are the beginning of its learning.
    ['topk:1%', 0.7],
  ])(
    '--compress %s',
    async (compress, least) => {
      const run = [
        '--model',
        'mlp',
        '--nodes',
        '2',
        '--epochs',
        '3',
        '--batch',
        '64',
        '--compress',
        compress,
        '--json',
      ];
      expect(trainedIn(await train(...run)).testAccuracy).toBeGreaterThan(least);
    },
    60_000,
  );

  test('--local-steps', async () => {
    const run = ['--model', 'mlp', '--nodes', '2', '--epochs', '3', '--batch', '32', '--local-steps', '8', '--json'];
    expect(trainedIn(await train(...run)).testAccuracy).toBeGreaterThan(0.85);
  }, 60_000);
});

describe('a run goes on', () => {
  test('detached, watched, its checkpoint fetched, then from the task and from the file: the same end', async () => {
    const exact = ['--deterministic', '--batch', '100', '--schedule', 'constant', '--lr', '0.05', '--json'];
    const first = await train('--model', 'mlp', '--nodes', '2', '--epochs', '1', ...exact, '--detach');
    const { taskId } = JSON.parse(first.stdout) as { taskId: string };
    expect(JSON.parse((await cluster.run('tasks', 'watch', taskId, '--json')).stdout)).toMatchObject({ steps: 27 });
    const file = cluster.file('c.safetensors');
    expect(await cluster.run('tasks', 'result', taskId, '--out', file)).toMatchObject({ code: 0, stdout: `${file}\n` });
    const fromTask = trainedIn(await train('--resume', taskId, '--epochs', '2', '--nodes', '2', '--json'));
    const fromFile = trainedIn(await train('--resume', file, '--epochs', '2', '--nodes', '1', '--json'));
    const whole = trainedIn(await train('--model', 'mlp', '--nodes', '2', '--epochs', '2', ...exact));
    expect(fromTask).toMatchObject({ steps: 54, weightsSha256: whole.weightsSha256 });
    expect(fromFile.weightsSha256).toBe(whole.weightsSha256);
  }, 90_000);

  test('after Ctrl-C: the task is cancelled, no file is left, and its checkpoint can be had', async () => {
    const out = cluster.file('never.safetensors');
    const client = cluster.client(
      '--task',
      'train',
      '--data',
      DATA,
      '--model',
      'mlp',
      '--nodes',
      '2',
      '--epochs',
      '10000',
      '--out',
      out,
    );
    const { taskId } = await waitUntil(() => runningWith(({ checkpointStep }) => checkpointStep > 0), {
      what: 'a checkpoint is written',
      timeoutMs: 30_000,
    });
    client.process.kill('SIGINT');
    expect(await client.ended()).toMatchObject({ code: 130, stdout: '' });
    expect(await observer.task(taskId)).toMatchObject({ state: 'cancelled' });
    expect(existsSync(out)).toBe(false);
    const { checkpointStep } = await waitUntil(() => savedTo(taskId), { what: 'the steps since are saved as well' });
    const file = cluster.file('saved.safetensors');
    expect(await cluster.run('tasks', 'result', taskId, '--out', file)).toMatchObject({ code: 0 });
    const saved = readFileSync(file);
    expect(saved.length).toBeGreaterThan(4 * 235_146);
    expect(readSafetensorsMetadata(saved, file)['step']).toBe(String(checkpointStep));
  }, 60_000);
});

test('the example of docs and README runs', () => {
  const program = fileURLToPath(new URL('../../../examples/train-digits.mjs', import.meta.url));
  const port = String(cluster.endpoint.portBase);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, port], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [, right] = /answers right: (\d+) of 100/.exec(stdout) ?? [];
  expect(Number(right)).toBeGreaterThan(80);
}, 60_000);

/** Of a run that has ended, when its checkpoint has its last step. */
async function savedTo(taskId: string): Promise<TaskStatus['training'] | undefined> {
  const { training } = await observer.task(taskId);
  return training !== null && training.checkpointStep >= training.step ? training : undefined;
}

/** A training run that is under way and of which this holds. */
async function runningWith(
  holds: (report: NonNullable<TaskStatus['training']>) => boolean,
): Promise<TaskStatus | undefined> {
  const brief = (await observer.tasks()).find(({ task, state }) => task === 'train' && state === 'running');
  if (brief === undefined) return undefined;
  const status = await observer.task(brief.taskId);
  return status.training !== null && holds(status.training) ? status : undefined;
}

const idx = (magic: number, sides: readonly number[], elements: Uint8Array): Buffer => {
  const header = Buffer.alloc(4 + 4 * sides.length);
  [magic, ...sides].forEach((word, at) => header.writeUInt32BE(word, 4 * at));
  return Buffer.concat([header, elements]);
};

function writeIdx(name: string, { magic = 0x803, images = 40, labels = 40 } = {}): string {
  const folder = cluster.file(name);
  mkdirSync(folder);
  const pictures = Uint8Array.from({ length: images * 784 }, (_, at) => at % 251);
  writeFileSync(`${folder}/train-images-idx3-ubyte.gz`, gzipSync(idx(magic, [images, 28, 28], pictures)));
  writeFileSync(
    `${folder}/train-labels-idx1-ubyte`,
    idx(
      0x801,
      [labels],
      Uint8Array.from({ length: labels }, (_, at) => at % 10),
    ),
  );
  return folder;
}

function writePair(name: string, { value = 0.5, label = 3 } = {}): string {
  const x = new Float32Array(20 * 12).fill(0.5);
  const y = Int32Array.from({ length: 20 }, (_, at) => at % 4);
  [x[15 * 12 + 7], y[9]] = [value, label];
  const folder = cluster.file(name);
  mkdirSync(folder);
  writeFileSync(`${folder}/X.npy`, Buffer.concat([npyArrayHeader('<f4', [20, 12]), new Uint8Array(x.buffer)]));
  writeFileSync(`${folder}/y.npy`, Buffer.concat([npyArrayHeader('<i4', [20]), new Uint8Array(y.buffer)]));
  return `${folder}/X.npy`;
}

function writeModel(name: string, layers: readonly object[], input: readonly number[] = [1, 28, 28]): string {
  const path = cluster.file(name);
  writeFileSync(path, JSON.stringify({ name, input, layers, loss: 'crossEntropy' }));
  return path;
}

describe('a mistake is answered in three lines and leaves nothing on the head', () => {
  const dense = { type: 'dense', units: 4 };
  const mistakes: readonly [name: string, args: () => readonly string[], code: number, error: string, says: RegExp][] =
    [
      [
        'wrong magic',
        () => ['--model', 'mlp', '--data', writeIdx('magic', { magic: 0x12345678 })],
        65,
        'BAD_DATA',
        /12345678/,
      ],
      [
        'counts differ',
        () => ['--model', 'mlp', '--data', writeIdx('counts', { labels: 39 })],
        65,
        'BAD_DATA',
        /40.*39/,
      ],
      [
        'a label out of range',
        () => ['--model', writeModel('four.json', [dense], [12]), '--data', writePair('label', { label: 4 })],
        65,
        'BAD_DATA',
        /sample 9 .*label 4/,
      ],
      [
        'a negative label',
        () => ['--model', 'mlp', '--data', writePair('negative', { label: -1 })],
        65,
        'BAD_DATA',
        /sample 9 .*label -1/,
      ],
      [
        'NaN in the data',
        () => ['--model', 'mlp', '--data', writePair('nan', { value: NaN })],
        65,
        'BAD_DATA',
        /sample 15.*NaN/,
      ],
      [
        'an unknown layer',
        () => ['--model', writeModel('dens.json', [{ type: 'dens' }])],
        65,
        'BAD_MODEL',
        /layers\.0 \(dens\)/,
      ],
      [
        'shapes that do not fit',
        () => ['--model', writeModel('fit.json', [{ type: 'flatten' }, { type: 'conv', filters: 4, kernel: 3 }])],
        65,
        'BAD_MODEL',
        /layers\.1 \(conv\)/,
      ],
      ['a model that is no JSON', () => ['--model', text('text.json')], 65, 'BAD_MODEL', /text\.json is not JSON/],
      ['an unknown model', () => ['--model', 'lenett'], 65, 'BAD_DATA', /did you mean --model lenet/],
      ['a model file that is missing', () => ['--model', 'absent.json'], 65, 'BAD_DATA', /absent\.json/],
      ['unknown data', () => ['--model', 'mlp', '--data', 'sinthetic'], 2, 'USAGE', /sinthetic/],
      [
        'a batch smaller than the nodes',
        () => ['--model', 'mlp', '--nodes', '2', '--batch', '1'],
        2,
        'USAGE',
        /batch is 1, for 2/,
      ],
      ['an unknown task to go on from', () => ['--resume', '0123456789abcdef'], 2, 'TASK_UNKNOWN', /0123456789abcdef/],
      ['a file to go on from that is none', () => ['--resume', text('text.bin')], 65, 'BAD_DATA', /text\.bin/],
      ['an option of another task', () => ['--model', 'mlp', '--size', '4'], 2, 'USAGE', /--size does not belong/],
      ['an unknown optimizer', () => ['--model', 'mlp', '--optimizer', 'adm'], 2, 'USAGE', /--optimizer adam/],
      ['--out in no folder', () => ['--model', 'mlp', '--out', 'no/such/m.safetensors'], 65, 'BAD_DATA', /no\/such/],
    ];

  const text = (name: string): string => {
    writeFileSync(cluster.file(name), 'not what it should be');
    return cluster.file(name);
  };

  const tasks = async (): Promise<readonly TaskBrief[]> => observer.tasks();

  test.each(mistakes.map(([name, ...mistake]) => ({ name, mistake })))('$name', async ({ mistake }) => {
    const [args, code, error, says] = mistake;
    const before = (await tasks()).length;
    const given = args();
    const data = given.includes('--data') ? [] : ['--data', 'synthetic:200'];
    const outcome = await cluster.run('--task', 'train', ...data, ...given);
    expect({ ...outcome, stderr: '' }).toMatchObject({ code, stdout: '' });
    const [what, why, fix] = outcome.stderr.trimEnd().split('\n').slice(-3);
    expect(what).toMatch(new RegExp(`^error: .+ \\(${error}, exit ${code}\\)$`));
    expect([why, fix]).toEqual([expect.stringMatching(/^ {2}why: .+/), expect.stringMatching(/^ {2}fix: .+/)]);
    expect(outcome.stderr).toMatch(says);
    expect((await tasks()).length).toBe(before);
  });

  test('a checkpoint of another model', async () => {
    const file = cluster.file('mlp.safetensors');
    const { taskId } = trainedIn(await train('--model', 'mlp', '--epochs', '1', '--nodes', '1', '--json'));
    await observer.checkpoint(taskId, file);
    expect(readFileSync(file).length).toBeGreaterThan(4 * 235_146);
    const before = (await tasks()).length;
    const outcome = await train('--model', 'lenet', '--resume', file);
    expect(outcome).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/CHECKPOINT_MISMATCH[^]*layers\.0\.weight/),
    });
    expect((await tasks()).length).toBe(before);
  }, 30_000);
});
