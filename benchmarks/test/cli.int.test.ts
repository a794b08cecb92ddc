import { expect, test } from '@jest/globals';
import { findRabbitServer } from '@muster/rabbitmq/testkit';
import { skipBecause } from '@muster/shared/testkit';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { waysOf } from '../src/scenarios/ways.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(...args: string[]): Promise<Ending> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test.each([
  [['matmull'], "'matmull' is invalid"],
  [[], "missing required argument 'scenario'"],
  [['matmul', '--sizes', '512,big'], '--sizes needs a whole number'],
  [['matmul', '--providers', '0'], '--providers needs a whole number from 1 to 64'],
  [['matmul', '--blocks', 'air'], "'air' is invalid"],
  [['dispatch', '--fast'], "unknown option '--fast'"],
])('%j is a usage error', async (args, what) => {
  const { code, stdout, stderr } = await bench(...args);
  expect(stderr).toContain(what);
  expect(stderr).toMatch(/^error: .*\(USAGE, exit 2\)\n {2}why: .*\n {2}fix: .*\n$/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('--help tells the scenarios', async () => {
  const { code, stdout } = await bench('--help');
  expect(stdout).toMatch(/choices:\s+"matmul",\s+"dispatch",\s+"mirror",\s+"recovery",\s+"train",\s+"curve"/);
  expect(code).toBe(0);
});

test('a small product is measured with real processes, and --json prints one object', async () => {
  const { code, stdout, stderr } = await bench('matmul', '--quick', '--json', '--sizes', '96', '--providers', '1');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const { machine, rows } = JSON.parse(stdout);
  expect(machine.cores).toBeGreaterThan(0);
  expect(rows.map(({ n, providers, operands }: Record<string, unknown>) => [n, providers, operands])).toEqual([
    [96, 1, 'sent'],
    [96, 1, 'resident'],
  ]);
  for (const { ms, inProcessMs, speedup } of rows) expect(speedup).toBeCloseTo(inProcessMs / ms, 9);
}, 60_000);

test('dispatch is measured in every mode', async () => {
  const { code, stdout, stderr } = await bench('dispatch', '--quick', '--json', '--providers', '1');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const { rows } = JSON.parse(stdout);
  expect(rows.map(({ mode }: { mode: string }) => mode)).toEqual([
    'batched',
    'unbatched',
    'round trip',
    'submit to accept',
  ]);
  for (const { p50Ms, p99Ms } of rows) expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
}, 60_000);

test('training steps are measured beside a loop in one process, and with emulated nodes that pass every audit', async () => {
  const { code, stdout, stderr } = await bench('train', '--quick', '--json', '--providers', '1');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const { rows } = JSON.parse(stdout);
  const [measured, emulated] = [rows.slice(0, -1), rows.slice(-1)];
  expect(measured.map(({ model, compression }: Record<string, string>) => `${model} ${compression}`)).toEqual(
    ['mlp', 'lenet'].flatMap((model) => ['none', 'bf16', 'topk:1%'].map((compression) => `${model} ${compression}`)),
  );
  for (const { ms, inProcessMs, speedup, share } of measured) {
    expect(speedup).toBeCloseTo(inProcessMs / ms, 9);
    expect(share.compute + share.transfer + share.aggregate + share.idle).toBeCloseTo(1, 9);
  }
  const [plain, bf16, topk] = measured.map(({ bytesUp }: { bytesUp: number }) => bytesUp);
  // A window may begin or end in the middle of a step.
  expect(plain / bf16).toBeGreaterThan(1.6);
  expect(plain / bf16).toBeLessThan(2.5);
  expect(plain / topk).toBeGreaterThan(20);
  expect(emulated).toEqual([expect.objectContaining({ emulatedProviders: 4, disputed: 0 })]);
}, 240_000);

test('ways to the head are measured beside each other, each what it says', async () => {
  const { code, stdout, stderr } = await bench('curve', '--quick', '--json', '--sizes', '96', '--providers', '1');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const { rows } = JSON.parse(stdout);
  const ways = waysOf(process.platform).map(({ name }) => name);
  const labels = rows.map(({ way, operands, mode }: Record<string, string>) => `${operands ?? mode}: ${way}`);
  const kinds = ['resident', 'sent', 'batched', 'unbatched'];
  expect(labels).toEqual(kinds.flatMap((kind) => ways.map((name) => `${kind}: ${name}`)));
  for (const { way, ofPlain } of rows) {
    if (way === 'CURVE') expect(ofPlain).toBeGreaterThan(0);
    if (way.startsWith('plain')) expect(ofPlain).toBeNull();
  }
}, 120_000);

const brokerTest = findRabbitServer() === undefined ? skipBecause('no RabbitMQ on this machine') : test;

brokerTest(
  'a mirror is measured beside ZeroMQ alone, with a real broker that has everything in the end',
  async () => {
    const { code, stdout, stderr } = await bench('mirror', '--quick', '--json', '--providers', '1');
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { rows } = JSON.parse(stdout);
    expect(rows.map((row: Record<string, unknown>) => row['durability'] ?? row['mirrorBlocks'])).toEqual([
      'local',
      'mirrored',
      'strict',
      'local',
      'mirrored',
      'strict',
      'never',
      'always',
    ]);
    const echoes = rows.slice(0, 6);
    for (const { sustained, subtasksPerSecond, p50Ms } of echoes) {
      expect(subtasksPerSecond === null).toBe(!sustained);
      expect(p50Ms).toBeGreaterThan(0);
    }
    const outboxOf = (at: number): number => echoes[at].worstOutbox;
    expect([outboxOf(0), outboxOf(3)]).toEqual([0, 0]);
    expect(outboxOf(4)).toBeGreaterThan(0);
    expect(rows.at(-1).confirmedShare).toBeGreaterThan(0);
  },
  120_000,
);
