import { LRUCache } from 'lru-cache';
import { rowBytes, type InferWork } from '@muster/shared';
import { freeMemory } from '@muster/shared/io';
import { createTileFile, readBlocks, type TileFile } from '../block-files.ts';
import type { Done } from '../compute-protocol.ts';
import type { Kernel, KernelJob } from '../kernel.ts';
import { timed, timedAwait, doneIn, noTimings, type Timings } from '../timings.ts';
import { openRowModel, type ModelDevice, type OpenModel } from './open-row-model.ts';
import type { RowModel } from './row-model.ts';

const MODELS_MAX = 4;
/** Bytes of rows per run: enough for full speed; a model's intermediate tensors may be many times larger. */
const BATCH_BYTES = 2 ** 23;
const BATCH_ROWS = 256;

/** Y = model(X) for a block of rows, with any ONNX model. A model that the device cannot run falls back to the CPU. */
export class InferenceKernel implements Kernel {
  readonly #options: ModelDevice;
  readonly #models = new LRUCache<string, OpenModel>({
    max: MODELS_MAX,
    dispose: ({ model }) => model.release(),
  });
  #rows = new Uint8Array(0);

  constructor(options: ModelDevice) {
    this.#options = options;
  }

  /** Rejects with COMPUTE_FAILED for a model whose input or output does not match the work. */
  async run(job: KernelJob): Promise<Done> {
    const timings = noTimings();
    const work = job.work as InferWork;
    const open = await timedAwait(timings, 'readMs', () => this.#model(work, job));
    const x = timed(timings, 'readMs', () => this.#read(work, job));
    const out = timed(timings, 'writeMs', () => createTileFile(job.out, work.rows * rowBytes(work.output)));
    try {
      await runBatches({ model: open.model, work, x, out }, timings);
    } finally {
      timed(timings, 'writeMs', () => out.close());
    }
    return doneIn(timings, work.rows * rowBytes(work.output), open.fallback);
  }

  #read({ x, rows, input }: InferWork, { pathOf }: KernelJob): Uint8Array<ArrayBuffer> {
    const bytes = rows * rowBytes(input);
    if (this.#rows.length < bytes) this.#rows = new Uint8Array(bytes);
    const target = this.#rows.subarray(0, bytes);
    readBlocks([pathOf(x)], target);
    return target;
  }

  async #model(work: InferWork, { pathOf }: KernelJob): Promise<OpenModel> {
    const known = this.#models.get(work.model);
    if (known) return known;
    const opened = await openRowModel(pathOf(work.model), work, this.#options);
    this.#models.set(work.model, opened);
    return opened;
  }
}

interface Batches {
  readonly model: RowModel;
  readonly work: InferWork;
  readonly x: Uint8Array<ArrayBuffer>;
  readonly out: TileFile;
}

async function runBatches({ model, work, x, out }: Batches, timings: Timings): Promise<void> {
  const each = rowBytes(work.input);
  const fixed = model.batchOf(work.input);
  const step = fixed ?? freeBatch(work);
  for (let from = 0; from < work.rows; from += step) {
    const count = Math.min(step, work.rows - from);
    const bytes = x.subarray(from * each, (from + count) * each);
    const rows = fixed === null ? { bytes, count } : { bytes: padded(bytes, fixed * each), count: fixed };
    const y = await timedAwait(timings, 'computeMs', () => model.run(work, rows));
    timed(timings, 'writeMs', () => out.write(y.subarray(0, count * rowBytes(work.output))));
    freeMemory(y);
  }
}

const freeBatch = ({ input, output }: InferWork): number =>
  Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_BYTES / Math.max(rowBytes(input), rowBytes(output)))));

/** The last rows, padded with zeros if the model has a fixed batch size. */
function padded(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.length === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}
