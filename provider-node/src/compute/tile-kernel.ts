import { bytesOf, dtypes, productDtype, type Elements, type TileWork } from '@muster/shared';
import { freeMemory } from '@muster/shared/io';
import type { Multipliers } from './backends/device.ts';
import { createTileFile } from './block-files.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Done } from './compute-protocol.ts';
import type { Kernel, KernelJob } from './kernel.ts';
import { PanelCache } from './panel-cache.ts';
import { RightOperands } from './right-operands.ts';
import { timed, doneIn, noTimings, type Timings } from './timings.ts';
import { planTile, type RowGroup, type TileStep } from './tile-plan.ts';

export interface TileKernelOptions {
  readonly multipliers: Multipliers;
  /** Memory for cached operands, A and B together. */
  readonly cacheBytes: number;
  /** Applied to each finished part of a tile; tests of verification use it to make wrong tiles. */
  readonly finish?: (elements: Elements) => void;
}

const GROUP_MAX_BYTES = 2 ** 25;
/** A smaller cache costs more than it saves. Panels that do not fit are read, used and dropped. */
const CACHE_MIN_BYTES = 2 ** 16;

/**
 * C_tile = sum over chunks of A_chunk * B_chunk. One tile at a time: the next one reuses the buffers of its operands.
 *
 * Only the last few panels of A are kept, for the next column stripe: filling fresh memory costs as much as reading a panel seven more
 * times, so a larger cache loses in a product that is computed once. B is smaller, and every product with the same right operand reuses
 * it.
 */
export class TileKernel implements Kernel {
  readonly #options: TileKernelOptions;
  readonly #left: PanelCache;
  readonly #right: RightOperands;
  readonly #groupBytes: number;

  constructor(options: TileKernelOptions) {
    const pool = new BufferPool();
    const leftBytes = Math.max(CACHE_MIN_BYTES, Math.floor(options.cacheBytes / 4));
    this.#options = options;
    this.#left = new PanelCache(leftBytes, pool);
    this.#right = new RightOperands(3 * leftBytes, pool);
    this.#groupBytes = Math.min(GROUP_MAX_BYTES, leftBytes / 2);
  }

  async run(job: KernelJob): Promise<Done> {
    const work = job.work as TileWork;
    const groups = planTile({ work, pathOf: job.pathOf }, this.#groupBytes);
    const timings = noTimings();
    const out = timed(timings, 'writeMs', () => createTileFile(job.out, tileBytes(work)));
    let bytes = 0;
    try {
      for (const group of groups) {
        const part = bytesOf(await this.#multiplyGroup(group, work, timings));
        timed(timings, 'writeMs', () => out.write(part));
        bytes += part.length;
        freeMemory(part);
      }
    } finally {
      timed(timings, 'writeMs', () => out.close());
    }
    return doneIn(timings, bytes);
  }

  async #multiplyGroup(group: RowGroup, work: TileWork, timings: Timings): Promise<Elements> {
    const [first, ...others] = group as [TileStep, ...TileStep[]];
    const sum = await this.#multiplyStep(first, work, timings);
    for (const step of others) {
      const term = await this.#multiplyStep(step, work, timings);
      timed(timings, 'computeMs', () => addInto(sum, term));
      freeMemory(term);
    }
    this.#options.finish?.(sum);
    return sum;
  }

  async #multiplyStep({ a, b }: TileStep, { dtype }: TileWork, timings: Timings): Promise<Elements> {
    const multiplier = this.#options.multipliers[dtype];
    const start = performance.now();
    const left = this.#left.fetch(a, (bytes) => multiplier.adopt('a', bytes));
    const times = await this.#right.fetch(b, multiplier);
    const read = performance.now();
    const product = await times(left);
    timings.readMs += read - start;
    timings.computeMs += performance.now() - read;
    return product;
  }
}

const tileBytes = (work: TileWork): number =>
  work.rows.reduce((sum, count) => sum + count, 0) * work.columns * dtypes[productDtype(work.dtype)].bytes;

/** A function of its own, so that it is compiled well. int32 sums stay exact: 65,536 products of at most 2^14. */
function addInto(sum: Elements, term: Elements): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += term[i]!;
}
