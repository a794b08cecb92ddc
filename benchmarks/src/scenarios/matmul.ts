import { MusterError, seededRandom, type Random, type TaskStatus } from '@muster/shared';
import { freeMemory } from '@muster/shared/io';
import { maxAbsError } from '@muster/shared/testkit';
import { MemoryMatrix, MemorySink, type ClusterClient, type MatrixRef } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';
import { OnnxProduct } from '../baselines/onnx-product.ts';
import { timePlainProduct, type PlainTime } from '../baselines/plain-js.ts';
import { withCluster } from '../cluster.ts';
import { median, medianBy } from '../stats.ts';

/**
 * 'sent': A and B are new in each repetition, so that neither head nor providers have any of their bytes. 'resident': B was put and used
 * before; only A is new.
 */
export type Operands = 'sent' | 'resident';
const operandKinds: readonly Operands[] = ['sent', 'resident'];

/** Shares of the time for which the client waited; see `sharesOf`. */
export interface Shares {
  readonly compute: number;
  readonly transfer: number;
  readonly verify: number;
  readonly idle: number;
}

export interface MatmulRow {
  readonly n: number;
  readonly providers: number;
  readonly operands: Operands;
  readonly repetitions: number;
  /** From the call of `multiply` with operands in the client's memory to the complete product in its memory; median. */
  readonly ms: number;
  readonly bestMs: number;
  /** One run of ONNX Runtime on one thread of the client's process, between the cluster's repetitions; median. */
  readonly inProcessMs: number;
  readonly inProcessBestMs: number;
  /** inProcessMs / ms. */
  readonly speedup: number;
  /** 2n^3 / ms. */
  readonly gflops: number;
  /** Shares in the repetition with the median time. */
  readonly share: Shares;
  /** The planner's forecast for the median repetition. */
  readonly forecastMs: number;
  readonly plainJsMs: number;
  /** `plainJsMs` is scaled from this many rows of the product when they are fewer than n. */
  readonly plainJsRows: number;
}

export interface MatmulOptions {
  readonly sizes: readonly number[];
  readonly providers: readonly number[];
  readonly blocks: 'auto' | 'wire';
  /** Timed repetitions of one product of n x n. */
  readonly repetitions: (n: number) => number;
  readonly warmUps: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: MatmulRow) => void;
}

/** For every size and number of providers: a fresh cluster, both kinds of operands. */
export async function measureMatmul(options: MatmulOptions): Promise<MatmulRow[]> {
  const onnx = await OnnxProduct.open();
  const rows: MatmulRow[] = [];
  try {
    for (const n of options.sizes) {
      const bench = new ProductBench({ ...options, n, onnx });
      for (const providers of options.providers) rows.push(...(await bench.rowsFor(providers)));
    }
  } finally {
    await onnx.release();
  }
  return rows;
}

interface Setting extends MatmulOptions {
  readonly n: number;
  readonly onnx: OnnxProduct;
}

/**
 * After a task the head refills its stock of spare files, on the core that the in-process product leaves free; the baseline must not pay
 * for that. Size of A, B and C, at 5 ms per MiB.
 */
export const restMs = (n: number): number => 50 + ((3 * 4 * n * n) / 2 ** 20) * 5;

interface Repetition {
  readonly ms: number;
  readonly inProcessMs: number;
  readonly status: TaskStatus;
}

/** Measures products of one size. Operand memory is reused with new content; both sides make their product in fresh memory. */
class ProductBench {
  readonly #setting: Setting;
  readonly #random: Random;
  readonly #a: Float32Array;
  readonly #b: Float32Array;
  readonly #plain: PlainTime;

  constructor(setting: Setting) {
    const { n } = setting;
    this.#setting = setting;
    this.#random = seededRandom(n);
    this.#a = new Float32Array(n * n);
    this.#b = new Float32Array(n * n);
    this.#renew(this.#a);
    this.#renew(this.#b);
    this.#plain = timePlainProduct(this.#a, this.#b, n);
  }

  rowsFor(providers: number): Promise<MatmulRow[]> {
    const { blocks, signal, onRow } = this.#setting;
    return withCluster({ providers, blocks, signal }, async (client) => {
      const rows: MatmulRow[] = [];
      for (const operands of operandKinds) {
        const row = this.#rowOf(await this.#repetitions(client, { operands, providers }), { operands, providers });
        onRow(row);
        rows.push(row);
      }
      return rows;
    });
  }

  async #repetitions(client: ClusterClient, { operands, providers }: Case): Promise<Repetition[]> {
    const { n, repetitions, warmUps } = this.#setting;
    const resident = operands === 'resident' ? await client.putMatrix(this.#matrix(this.#b), 'b') : null;
    const timed: Repetition[] = [];
    for (let run = 0; run < warmUps + repetitions(n); run++) {
      this.#renew(this.#a);
      if (resident === null) this.#renew(this.#b);
      const repetition = await this.#repeat(client, { resident, providers });
      if (run >= warmUps) timed.push(repetition);
    }
    return timed;
  }

  /**
   * Computes the same product both ways, one after the other, so that a busy machine slows both down; the cluster idles during the first.
   */
  async #repeat(
    client: ClusterClient,
    { resident, providers }: { resident: MatrixRef | null; providers: number },
  ): Promise<Repetition> {
    const { n, onnx, signal } = this.#setting;
    signal.throwIfAborted();
    await setTimeout(restMs(n));
    const inProcess = await onnx.multiply(this.#a, this.#b, n);
    const startMs = performance.now();
    const sink = new MemorySink({ rows: n, columns: n, dtype: 'float32' });
    const b = resident ?? this.#matrix(this.#b);
    const handle = await client.multiply({ a: this.#matrix(this.#a), b, sink, nodes: providers, signal });
    const status = await handle.wait();
    const ms = performance.now() - startMs;
    checkProduct(sink.elements, inProcess.product, n);
    // Otherwise the next repetition pays for the garbage of this one.
    for (const product of [sink.elements, inProcess.product]) freeMemory(product);
    return { ms, inProcessMs: inProcess.ms, status };
  }

  #rowOf(repetitions: readonly Repetition[], { operands, providers }: Case): MatmulRow {
    const { n } = this.#setting;
    const times = repetitions.map(({ ms }) => ms);
    const inProcessTimes = repetitions.map(({ inProcessMs }) => inProcessMs);
    const [ms, inProcessMs] = [median(times), median(inProcessTimes)];
    const middle = medianBy(repetitions, (repetition) => repetition.ms);
    return {
      n,
      providers,
      operands,
      repetitions: repetitions.length,
      ms,
      bestMs: Math.min(...times),
      inProcessMs,
      inProcessBestMs: Math.min(...inProcessTimes),
      speedup: inProcessMs / ms,
      gflops: (2 * n ** 3) / ms / 1e6,
      share: sharesOf(middle.status, { providers, ms: middle.ms }),
      forecastMs: middle.status.forecastMs,
      plainJsMs: this.#plain.ms,
      plainJsRows: this.#plain.rows,
    };
  }

  #matrix(elements: Float32Array): MemoryMatrix {
    return new MemoryMatrix(elements, { rows: this.#setting.n, columns: this.#setting.n });
  }

  /** Uniform in [-0.5, 0.5), new values on every call. */
  #renew(elements: Float32Array): void {
    for (let at = 0; at < elements.length; at++) elements[at] = this.#random() - 0.5;
  }
}

interface Case {
  readonly operands: Operands;
  readonly providers: number;
}

/**
 * Shares of `ms`, the client's wall time. Of the providers' time (`providers` x `ms`): `compute` is multiplication; `transfer` is waiting
 * for operands that is not hidden by multiplication (waits of leases overlap compute and each other, so it is capped at what compute
 * leaves); `idle` is the rest: submission, planning, dispatch, delivery of the last tiles to the client. `verify` is the head's checking
 * as a share of `ms`; it runs beside the others and is not part of their sum.
 */
export function sharesOf(
  { nodes, verifyMs }: Pick<TaskStatus, 'nodes' | 'verifyMs'>,
  { providers, ms }: { providers: number; ms: number },
): Shares {
  const all = providers * ms;
  const compute = Math.min(1, nodes.reduce((sum, node) => sum + node.computeMs, 0) / all);
  const waited = nodes.reduce((sum, node) => sum + node.fetchMs, 0) / all;
  const transfer = Math.min(waited, 1 - compute);
  return { compute, transfer, verify: verifyMs / ms, idle: 1 - compute - transfer };
}

/** Throws BUG when the two differ by more than rounding explains: 4 * 2^-24 * n * max|a| * max|b|. */
export function checkProduct(product: Float32Array, reference: Float32Array, n: number): void {
  const error = maxAbsError(product, reference);
  const bound = 4 * 2 ** -24 * n * 0.25;
  if (error <= bound) return;
  throw new MusterError('BUG', `the cluster's product of ${n} x ${n} is wrong`, {
    why: `an element is off by ${error}, rounding explains ${bound}`,
  });
}
