/** Many clients at once, and many tasks one after the other. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bytesOf, seededRandom } from '@muster/shared';
import { ClusterUnderTest, naiveProduct, skipBecause, writeExactMatrix, wrongRows } from '@muster/shared/testkit';
import { connectClient, MemoryMatrix, MemorySink, type ClusterClient } from '../../src/index.ts';

const linuxTest = process.platform === 'linux' ? test : skipBecause('only /proc tells the memory of another process');

const CLIENTS = 20;
const SIZE = 512;
const TASKS = 500;
/** After this many the head has every buffer and cache that it is going to have. */
const WARM_AFTER = 100;
const AT_ONCE = 4;
/** One result of 256 KiB that is kept for each task would be 100 MiB. */
const TASK_SIZE = 256;
const GROWTH_MAX_MIB = 40;

let cluster: ClusterUnderTest;

beforeAll(async () => {
  cluster = await ClusterUnderTest.start({ providers: 2, providerArguments: ['--threads', '1'] });
}, 60_000);

afterAll(() => cluster.end(), 20_000);

describe('twenty clients at once', () => {
  test('each gets its own product', async () => {
    const products = Array.from({ length: CLIENTS }, (_, at) => {
      const matrix = { dtype: 'float32', rows: SIZE, columns: SIZE } as const;
      const a = writeExactMatrix(cluster.file(`a${at}.npy`), { ...matrix, seed: 2 * at });
      const b = writeExactMatrix(cluster.file(`b${at}.npy`), { ...matrix, seed: 2 * at + 1 });
      return { a, b, c: cluster.file(`c${at}.npy`) };
    });
    const outcomes = await Promise.all(
      products.map(({ a, b, c }) =>
        cluster.run('--task', 'matrix_mult', '--nodes', '2', '--a', a, '--b', b, '--out', c),
      ),
    );
    for (const { code, stderr } of outcomes) expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(products.map(wrongRows)).toEqual(products.map(() => []));
  }, 60_000);
});

describe('five hundred tasks', () => {
  linuxTest(
    'the memory of the head stays flat',
    async () => {
      const client = await connectClient(cluster.endpoint);
      try {
        await multiplyMany(client, WARM_AFTER);
        const warmMib = headMib();
        await multiplyMany(client, TASKS - WARM_AFTER);
        expect(headMib() - warmMib).toBeLessThan(GROWTH_MAX_MIB);
        expect(await client.tasks()).toHaveLength(100);
      } finally {
        await client.close();
      }
    },
    120_000,
  );
});

/** `AT_ONCE` tasks at any time; every product is compared bit by bit, which whole numbers allow. */
async function multiplyMany(client: ClusterClient, count: number): Promise<void> {
  const shape = { rows: TASK_SIZE, columns: TASK_SIZE };
  const { a, b, expected } = wholeNumbers();
  let given = 0;
  const worker = async (): Promise<void> => {
    while (given < count) {
      given += 1;
      const sink = new MemorySink({ ...shape, dtype: 'float32' });
      const handle = await client.multiply({
        a: new MemoryMatrix(a, shape),
        b: new MemoryMatrix(b, shape),
        nodes: 2,
        sink,
      });
      await handle.wait();
      expect(Buffer.compare(bytesOf(sink.elements), expected)).toBe(0);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function wholeNumbers(): { a: Float32Array; b: Float32Array; expected: Uint8Array } {
  const random = seededRandom(3);
  const matrix = (): Float32Array =>
    Float32Array.from({ length: TASK_SIZE * TASK_SIZE }, () => Math.floor(random() * 16) - 8);
  const [a, b] = [matrix(), matrix()];
  return { a, b, expected: bytesOf(Float32Array.from(naiveProduct({ a, b }, [TASK_SIZE, TASK_SIZE, TASK_SIZE]))) };
}

function headMib(): number {
  const status = readFileSync(`/proc/${cluster.cluster.head.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
