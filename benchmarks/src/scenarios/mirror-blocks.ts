/** Operands in the broker: how fast they get there, and what that costs a product. */
import { limits } from '@muster/shared';
import { RandomMatrix, type ClusterClient } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';
import { withCluster } from '../cluster.ts';
import { checkComplete } from '../mirror-watch.ts';
import { median } from '../stats.ts';

export interface BlocksRow {
  readonly kind: 'blocks';
  readonly mirrorBlocks: 'always' | 'never';
  readonly n: number;
  readonly providers: number;
  readonly repetitions: number;
  /** Size of both operands. */
  readonly bytes: number;
  /** A product from submission to its end, operands over sockets, the result left on the head; median. */
  readonly productMs: number;
  /** MB/s (10^6 bytes) of operands that the broker confirmed, over the time in which it had some to confirm while the product ran. */
  readonly confirmedMBps: number | null;
  /** Share of the operands that was confirmed when the product ended: after that the mirror gives up the rest. */
  readonly confirmedShare: number | null;
}

export interface BlocksOptions {
  readonly providers: number;
  readonly repetitions: number;
  readonly size: number;
  readonly amqpUrl: string;
  readonly signal: AbortSignal;
  readonly onRow: (row: BlocksRow) => void;
}

/** Measurements of one product. */
export interface BlocksRun {
  readonly productMs: number;
  /** Confirmed messages of all kinds. */
  readonly confirmed: number;
  /** Time during which at least half a chunk of operands was unconfirmed. */
  readonly busyMs: number;
}

const EVERY_MS = 10;
const CHUNK_BYTES = limits.chunkBytesMax.value;

export async function measureBlocks(options: BlocksOptions): Promise<BlocksRow[]> {
  const never = await runsOf('never', options);
  const always = await runsOf('always', options);
  const { size: n, providers } = options;
  const rows = blocksRows({ n, providers }, { never, always });
  rows.forEach(options.onRow);
  return rows;
}

/** Runs whose operands stay out of the broker tell how many messages are not operands. */
export function blocksRows(
  { n, providers }: { readonly n: number; readonly providers: number },
  { never, always }: Readonly<Record<BlocksRow['mirrorBlocks'], readonly BlocksRun[]>>,
): BlocksRow[] {
  const bytes = 2 * 4 * n ** 2;
  const others = median(never.map(({ confirmed }) => confirmed));
  const confirmedBytes = ({ confirmed }: BlocksRun): number => Math.min(bytes, (confirmed - others) * CHUNK_BYTES);
  const common = { kind: 'blocks', n, providers, bytes } as const;
  const timed = (runs: readonly BlocksRun[]): Pick<BlocksRow, 'repetitions' | 'productMs'> => ({
    repetitions: runs.length,
    productMs: median(runs.map(({ productMs }) => productMs)),
  });
  return [
    { ...common, ...timed(never), mirrorBlocks: 'never', confirmedMBps: null, confirmedShare: null },
    {
      ...common,
      ...timed(always),
      mirrorBlocks: 'always',
      confirmedMBps: median(always.map((run) => confirmedBytes(run) / run.busyMs / 1000)),
      confirmedShare: median(always.map((run) => confirmedBytes(run) / bytes)),
    },
  ];
}

function runsOf(mirrorBlocks: BlocksRow['mirrorBlocks'], options: BlocksOptions): Promise<BlocksRun[]> {
  const { providers, repetitions, size, amqpUrl, signal } = options;
  const headArguments = ['--mirror-blocks', mirrorBlocks];
  return withCluster({ providers, blocks: 'wire', amqpUrl, headArguments, signal }, async (client) => {
    const runs: BlocksRun[] = [];
    // The first run pays one-time costs.
    for (let run = 0; run <= repetitions; run++) {
      signal.throwIfAborted();
      runs.push(await product(client, { size, nodes: providers, seed: 2 * run }));
      await checkComplete(client);
    }
    return runs.slice(1);
  });
}

interface Product {
  readonly size: number;
  readonly nodes: number;
  /** A new seed for each product, so that neither head nor nodes have any byte of its operands. */
  readonly seed: number;
}

async function product(client: ClusterClient, { size, nodes, seed }: Product): Promise<BlocksRun> {
  const shape = { rows: size, columns: size, dtype: 'float32' } as const;
  const [a, b] = [new RandomMatrix(seed, shape), new RandomMatrix(seed + 1, shape)];
  const { backbone: before } = await client.cluster();
  const startMs = performance.now();
  const handle = await client.multiply({ a, b, nodes });
  let productMs = 0;
  const ended = handle.wait().finally(() => (productMs = performance.now() - startMs));
  const busyMs = await busyTime(client, () => productMs > 0);
  await ended;
  const { backbone: after } = await client.cluster();
  return { productMs, confirmed: after.confirmed - before.confirmed, busyMs };
}

async function busyTime(client: ClusterClient, isOver: () => boolean): Promise<number> {
  let [busyMs, lastMs] = [0, performance.now()];
  while (!isOver()) {
    await setTimeout(EVERY_MS);
    const { backbone } = await client.cluster();
    const nowMs = performance.now();
    if (backbone.blockOutboxBytes >= CHUNK_BYTES / 2) busyMs += nowMs - lastMs;
    lastMs = nowMs;
  }
  return busyMs;
}
