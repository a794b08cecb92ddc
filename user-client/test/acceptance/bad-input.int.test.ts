/** What a person may get wrong: one message of three lines, the right exit code, and nothing left on the head. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bytesOf, npyHeader } from '@muster/shared';
import { ClusterUnderTest, type Outcome } from '@muster/shared/testkit';

let cluster: ClusterUnderTest;

beforeAll(async () => {
  cluster = await ClusterUnderTest.start({ providers: 2, providerArguments: ['--threads', '1'] });
  writeOperands(cluster.folder);
}, 60_000);

afterAll(() => cluster.end(), 20_000);

function writeOperands(folder: string): void {
  const write = (name: string, header: Buffer, elements: Float32Array): void =>
    writeFileSync(join(folder, name), Buffer.concat([header, bytesOf(elements)]));
  write('good.npy', npyHeader('float32', [4, 4]), new Float32Array(16));
  write('three.npy', npyHeader('float32', [3, 4]), new Float32Array(12));
  write('truncated.npy', npyHeader('float32', [4, 4]), new Float32Array(9));
  write('object.npy', withType('|O'), new Float32Array(16));
  write('big-endian.npy', withType('>f4'), new Float32Array(16));
  writeFileSync(join(folder, 'text.npy'), 'not a matrix');
}

/** The header of a 4 x 4 matrix with another element type of as many letters. */
function withType(type: string): Buffer {
  const header = npyHeader('float32', [4, 4]).toString('latin1');
  return Buffer.from(header.replace("'<f4'", `'${type}'`.padEnd(5)), 'latin1');
}

/** The last three lines, and only they, are the message; whatever stands before is progress. */
function expectMessage({ code, stdout, stderr }: Outcome, { exit, error }: { exit: number; error: string }): void {
  expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  const [what, why, fix, ...rest] = stderr.trimEnd().split('\n').slice(-3);
  expect(what).toMatch(new RegExp(`^error: .+ \\(${error}, exit ${exit}\\)$`));
  expect(why).toMatch(/^ {2}why: .+/);
  expect(fix).toMatch(/^ {2}fix: .+/);
  expect(rest).toEqual([]);
  expect(stderr.match(/error:/g)).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at |node:internal|Error:/m);
}

interface Mistake {
  readonly name: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly error: string;
  readonly says: RegExp;
}

const usage = { exit: 2, error: 'USAGE' };
const badData = { exit: 65, error: 'BAD_DATA' };
const product = (...args: string[]): string[] => ['--task', 'matrix_mult', ...args];
/** Files are named as they lie in the folder of the cluster. */
const files = (a: string, b: string): string[] => product('--a', `@${a}`, '--b', `@${b}`, '--out', '@c.npy');

const MISTAKES: readonly Mistake[] = [
  {
    name: 'inner dimensions differ',
    args: files('good.npy', 'three.npy'),
    exit: 65,
    error: 'SHAPE_MISMATCH',
    says: /4.*3/,
  },
  { name: 'a file is missing', args: files('absent.npy', 'good.npy'), ...badData, says: /absent\.npy/ },
  { name: 'a file is truncated', args: files('good.npy', 'truncated.npy'), ...badData, says: /truncated/ },
  { name: 'a file holds objects', args: files('object.npy', 'good.npy'), ...badData, says: /object/i },
  { name: 'a file is big-endian', args: files('big-endian.npy', 'good.npy'), ...badData, says: />f4|big-endian/ },
  { name: 'a file is no .npy', args: files('text.npy', 'good.npy'), ...badData, says: /text\.npy/ },
  {
    name: '--dtype is not that of the files',
    args: [...files('good.npy', 'good.npy'), '--dtype', 'int8'],
    ...badData,
    says: /astype/,
  },
  {
    name: '--out cannot be written',
    args: product('--a', '@good.npy', '--b', '@good.npy', '--out', '@no/such/folder/c.npy'),
    ...badData,
    says: /folder/,
  },
  { name: '--size 0', args: product('--size', '0'), ...usage, says: /--size.*\n.*0/ },
  { name: '--size -5', args: product('--size', '-5'), ...usage, says: /--size.*\n.*-5/ },
  { name: '--size abc', args: product('--size', 'abc'), ...usage, says: /--size.*\n.*abc/ },
  { name: '--size 1e9', args: product('--size', '1e9'), ...usage, says: /--size.*\n.*1e9/ },
  { name: '--size 1000000000', args: product('--size', '1000000000'), ...usage, says: /--size.*65,?536/ },
  { name: '--nodes 0', args: product('--size', '64', '--nodes', '0'), ...usage, says: /--nodes.*\n.*0/ },
  { name: 'an unknown option', args: product('--sise', '64'), ...usage, says: /--sise.*\n.*Did you mean --size/ },
  {
    name: 'an unknown task',
    args: ['--task', 'matrix_mul', '--size', '64'],
    ...usage,
    says: /matrix_mul[^t][^]*--task matrix_mult/,
  },
  { name: 'no task', args: ['--size', '64'], ...usage, says: /--task/ },
  { name: 'an unknown command', args: ['tasks', 'lst'], ...usage, says: /tasks ls/ },
  {
    name: 'an unknown task id',
    args: ['tasks', 'show', '0123456789abcdef'],
    exit: 2,
    error: 'TASK_UNKNOWN',
    says: /0123456789abcdef/,
  },
];

describe('a mistake is answered in three lines and leaves nothing on the head', () => {
  for (const { name, args, says, ...expected } of MISTAKES) {
    test(name, async () => {
      const outcome = await cluster.run(...args.map((arg) => (arg.startsWith('@') ? cluster.file(arg.slice(1)) : arg)));
      expectMessage(outcome, expected);
      expect(outcome.stderr).toMatch(says);
    });
  }

  test('none of them is among the tasks', async () => {
    const { stdout } = await cluster.run('tasks', 'ls', '--json');
    expect(JSON.parse(stdout)).toEqual({ tasks: [] });
  });
});

describe('what only the cluster can tell', () => {
  test('a head that is not there: exit 3', async () => {
    const outcome = await cluster.run('--task', 'matrix_mult', '--size', '64', '--head', '127.0.0.2');
    expectMessage(outcome, { exit: 3, error: 'HEAD_UNREACHABLE' });
  });

  test('four nodes asked for, two there: exit 5, both are named, nothing runs', async () => {
    const outcome = await cluster.run('--task', 'matrix_mult', '--size', '64', '--nodes', '4', '--wait-nodes', '1s');
    expectMessage(outcome, { exit: 5, error: 'NOT_ENOUGH_NODES' });
    expect(outcome.stderr).toMatch(/only 2 of the 4 .*\n.*node-1, node-2|only 2 of the 4 .*\n.*node-2, node-1/);
    const { stdout } = await cluster.run('tasks', 'ls', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ tasks: [{ state: 'failed', tiles: 0 }] });
  });

  test('a head or a provider that cannot start says why, in three lines', async () => {
    const { cluster: programs } = cluster;
    const file = cluster.file('good.npy');
    const starts = [
      {
        start: programs.launch('head-node', ['--state', cluster.file('other'), '--http-port', '0']),
        error: 'PORT_IN_USE',
      },
      {
        start: programs.launch('head-node', ['--state', join(programs.directory, 'head'), '--http-port', '0']),
        error: 'STATE_IN_USE',
      },
      { start: programs.launch('head-node', ['--state', join(file, 'state')]), error: 'USAGE' },
      {
        start: programs.launch('head-node', ['--state', cluster.file('another'), '--host', '203.0.113.1']),
        error: 'USAGE',
      },
      {
        start: programs.launch('provider-node', ['--state', join(programs.directory, 'node-1')]),
        error: 'STATE_IN_USE',
      },
      { start: programs.launch('provider-node', ['--state', join(file, 'state')]), error: 'USAGE' },
    ];
    for (const { start, error } of starts) expectMessage(await start.ended(), { exit: 2, error });
  }, 20_000);
});
