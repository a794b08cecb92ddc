/** Nodes and a client that share no files with the head, as on other machines: everything goes over sockets. */
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OperandDtype } from '@muster/shared';
import { ClusterUnderTest, waitUntil, writeExactMatrix, wrongRows } from '@muster/shared/testkit';
import { connectClient, RandomMatrix } from '@muster/user-client';

const HEADER_BYTES = 128;

describe('over the wire', () => {
  let cluster: ClusterUnderTest;

  beforeAll(async () => {
    cluster = await ClusterUnderTest.start({ providers: 2, providerArguments: ['--threads', '1', '--blocks', 'wire'] });
  }, 60_000);

  afterAll(() => cluster.end(), 20_000);

  interface Product {
    readonly dtype: OperandDtype;
    readonly seeds: readonly [number, number];
    readonly nodes: number;
  }

  const [m, k, n] = [1100, 900, 1300];

  async function multiply({ dtype, seeds, nodes }: Product): Promise<{ bytesSent: number; bBytes: number }> {
    const [seedA, seedB] = seeds;
    const a = writeExactMatrix(cluster.file('a.npy'), { dtype, rows: m, columns: k, seed: seedA });
    const b = writeExactMatrix(cluster.file('b.npy'), { dtype, rows: k, columns: n, seed: seedB });
    const c = cluster.file('c.npy');
    const outcome = await cluster.run(
      '--task',
      'matrix_mult',
      '--blocks',
      'wire',
      '--a',
      a,
      '--b',
      b,
      '--out',
      c,
      '--nodes',
      String(nodes),
      '--json',
    );
    expect({ code: outcome.code, stderr: outcome.stderr }).toMatchObject({ code: 0 });
    expect(wrongRows({ a, b, c })).toEqual([]);
    const { bytesSent } = JSON.parse(outcome.stdout) as { bytesSent: number };
    return { bytesSent, bBytes: statSync(b).size - HEADER_BYTES };
  }

  test.each(['float32', 'float64', 'int8'] as const)(
    'a product of %s on two nodes is right',
    async (dtype) => {
      await multiply({ dtype, seeds: [1, 2], nodes: 2 });
      for (const { stderr } of cluster.cluster.providers) expect(stderr).not.toContain('sharing its store');
    },
    20_000,
  );

  test('nodes tell the head how fast their link is', async () => {
    const client = await connectClient({ ...cluster.endpoint, blocks: 'wire' });
    try {
      await waitUntil(async () => (await client.nodes()).every(({ linkBytesPerMs }) => linkBytesPerMs > 10_000), {
        what: 'what the nodes have measured',
      });
    } finally {
      await client.close();
    }
  }, 20_000);

  test('a matrix that is put before its tasks serves both of them', async () => {
    const client = await connectClient({ ...cluster.endpoint, blocks: 'wire' });
    try {
      const random = (seed: number): RandomMatrix =>
        new RandomMatrix(seed, { rows: 700, columns: 700, dtype: 'float32' });
      const b = await client.putMatrix(random(1), 'b');
      for (const seed of [2, 3]) {
        const { state, tiles, verifiedTiles } = await (await client.multiply({ a: random(seed), b, nodes: 2 })).wait();
        expect({ state, verifiedTiles }).toEqual({ state: 'done', verifiedTiles: tiles });
      }
    } finally {
      await client.close();
    }
  }, 20_000);

  test('a B that was used before is not sent again', async () => {
    // The head would be free to choose the other node for the second product.
    await cluster.cluster.providers[1]?.stop();
    const first = await multiply({ dtype: 'float32', seeds: [3, 100], nodes: 1 });
    const second = await multiply({ dtype: 'float32', seeds: [4, 100], nodes: 1 });
    expect(first.bytesSent - second.bytesSent).toBe(first.bBytes);
  }, 20_000);
});
