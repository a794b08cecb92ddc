/** The cost of encryption: the same products and the same echo over every way to a head, in turns. */
import { seededRandom, type Random, type TaskStatus } from '@muster/shared';
import { MemoryMatrix, MemorySink, type MatrixRef } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';
import { OnnxProduct, type InProcessProduct } from '../baselines/onnx-product.ts';
import { median, medianBy } from '../stats.ts';
import { loads, runLoad, WARM_UP_SHARE, type DispatchMode, type Load } from './dispatch.ts';
import { checkProduct, restMs, type Operands } from './matmul.ts';
import { withWays, type OpenWay, type WayName } from './ways.ts';

interface WayRow {
  readonly way: WayName;
  readonly providers: number;
  readonly repetitions: number;
  /** Speed relative to the same way without keys: median over the rounds, in each of which both are run. Null for the ways without keys. */
  readonly ofPlain: number | null;
}

export interface WayProductRow extends WayRow {
  readonly kind: 'product';
  readonly n: number;
  readonly operands: Operands;
  /** From client memory to client memory; median. */
  readonly ms: number;
  readonly bestMs: number;
  /** One run of ONNX Runtime on one thread of the client's process, in each round; median. */
  readonly inProcessMs: number;
  /** inProcessMs / ms. */
  readonly speedup: number;
}

export interface WayEchoRow extends WayRow {
  readonly kind: 'echo';
  readonly mode: DispatchMode;
  /** Subtasks of one run. */
  readonly count: number;
  /** Figures of the run with the median rate. */
  readonly subtasksPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type CurveRow = WayProductRow | WayEchoRow;

export interface CurveOptions {
  readonly sizes: readonly number[];
  readonly providers: number;
  readonly repetitions: number;
  readonly warmUps: number;
  /** Factor on the number of echoes. */
  readonly scale: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: CurveRow) => void;
}

interface Setting extends CurveOptions {
  readonly open: readonly OpenWay[];
}

const operandKinds: readonly Operands[] = ['resident', 'sent'];
const modes: readonly DispatchMode[] = ['batched', 'unbatched'];

export async function measureCurve(options: CurveOptions): Promise<CurveRow[]> {
  const onnx = await OnnxProduct.open();
  try {
    return await withWays(options, async (open) => {
      const rows: CurveRow[] = [];
      for (const n of options.sizes) rows.push(...(await new WayProducts({ ...options, open, n, onnx }).rows()));
      for (const load of loads.filter(({ mode }) => modes.includes(mode)))
        rows.push(...(await echoRows({ ...options, open }, load)));
      return rows;
    });
  } finally {
    await onnx.release();
  }
}

/** What each way measured in each round. */
export type Rounds<T> = ReadonlyMap<WayName, readonly T[]>;

/** Rotates the order by round, so that none always comes first or always after the same one. */
export const inTurn = <T>(items: readonly T[], round: number): T[] => {
  const first = round % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
};

/** Runs every way once in each round. */
async function rounds<T>(
  { open, signal }: Setting,
  { count, before, once }: { count: number; before?: () => Promise<void>; once: (way: OpenWay) => Promise<T> },
): Promise<Rounds<T>> {
  const taken = new Map<WayName, T[]>(open.map(({ way }) => [way.name, []]));
  for (let round = 0; round < count; round += 1) {
    await before?.();
    for (const way of inTurn(open, round)) {
      signal.throwIfAborted();
      taken.get(way.way.name)?.push(await once(way));
    }
  }
  return taken;
}

/** Median over the rounds of the plain time over this time. */
export function speedKept(times: readonly number[], plain: readonly number[] | undefined): number | null {
  return plain === undefined ? null : median(times.map((ms, round) => (plain[round] ?? Number.NaN) / ms));
}

interface ProductSetting extends Setting {
  readonly n: number;
  readonly onnx: OnnxProduct;
}

/** Products of one size. Operand memory is reused with new content. */
class WayProducts {
  readonly #setting: ProductSetting;
  readonly #random: Random;
  readonly #a: Float32Array;
  readonly #b: Float32Array;
  #reference: InProcessProduct | null = null;

  constructor(setting: ProductSetting) {
    const { n } = setting;
    this.#setting = setting;
    this.#random = seededRandom(n);
    this.#a = new Float32Array(n * n);
    this.#b = new Float32Array(n * n);
    this.#renew(this.#b);
  }

  async rows(): Promise<WayProductRow[]> {
    const rows: WayProductRow[] = [];
    for (const operands of operandKinds) rows.push(...(await this.#rowsOf(operands)));
    rows.forEach(this.#setting.onRow);
    return rows;
  }

  async #rowsOf(operands: Operands): Promise<WayProductRow[]> {
    const { open, n, providers, warmUps, repetitions } = this.#setting;
    const residents = new Map<WayName, MatrixRef>();
    if (operands === 'resident')
      for (const { way, client } of open) residents.set(way.name, await client.putMatrix(this.#matrix(this.#b), 'b'));
    const inProcess: number[] = [];
    const before = async (): Promise<void> => void inProcess.push(await this.#renewAll(operands));
    const once = (way: OpenWay): Promise<number> => this.#multiply(way, residents.get(way.way.name) ?? null);
    const all = await rounds(this.#setting, { count: warmUps + repetitions, before, once });
    const timed = new Map([...all].map(([name, times]) => [name, times.slice(warmUps)]));
    const inProcessMs = median(inProcess.slice(warmUps));
    return open.map(({ way }) => productRow({ n, providers, operands, inProcessMs }, { way, timed }));
  }

  /** Renews the operands and computes their product in this process; resolves to its time in ms. */
  async #renewAll(operands: Operands): Promise<number> {
    const { n, onnx } = this.#setting;
    this.#renew(this.#a);
    if (operands === 'sent') this.#renew(this.#b);
    await setTimeout(restMs(n));
    this.#reference = await onnx.multiply(this.#a, this.#b, n);
    return this.#reference.ms;
  }

  async #multiply({ client }: OpenWay, resident: MatrixRef | null): Promise<number> {
    const { n, providers, signal } = this.#setting;
    const sink = new MemorySink({ rows: n, columns: n, dtype: 'float32' });
    const b = resident ?? this.#matrix(this.#b);
    const startMs = performance.now();
    const handle = await client.multiply({ a: this.#matrix(this.#a), b, sink, nodes: providers, signal });
    await handle.wait();
    const ms = performance.now() - startMs;
    if (this.#reference !== null) checkProduct(sink.elements, this.#reference.product, n);
    // What this head does after a task must not count in the time of the next.
    await setTimeout(restMs(n));
    return ms;
  }

  #matrix(elements: Float32Array): MemoryMatrix {
    return new MemoryMatrix(elements, { rows: this.#setting.n, columns: this.#setting.n });
  }

  /** Uniform in [-0.5, 0.5), new values on every call. */
  #renew(elements: Float32Array): void {
    for (let at = 0; at < elements.length; at++) elements[at] = this.#random() - 0.5;
  }
}

type ProductCase = Pick<WayProductRow, 'n' | 'providers' | 'operands' | 'inProcessMs'>;

interface TimedWay<T> extends Pick<OpenWay, 'way'> {
  readonly timed: Rounds<T>;
}

export function productRow(given: ProductCase, { way, timed }: TimedWay<number>): WayProductRow {
  const times = timed.get(way.name) ?? [];
  const ms = median(times);
  return {
    kind: 'product',
    ...given,
    way: way.name,
    repetitions: times.length,
    ms,
    bestMs: Math.min(...times),
    speedup: given.inProcessMs / ms,
    ofPlain: speedKept(times, way.plain === null ? undefined : timed.get(way.plain)),
  };
}

async function echoRows(setting: Setting, { count: full, ...load }: Load): Promise<WayEchoRow[]> {
  const { open, providers, repetitions, scale, onRow, signal } = setting;
  const count = Math.ceil(full * scale);
  const run =
    (share: number) =>
    ({ client }: OpenWay): Promise<TaskStatus> =>
      runLoad({ client, providers, signal }, { ...load, count: Math.ceil(count * share) });
  await rounds(setting, { count: 1, once: run(WARM_UP_SHARE) });
  const timed = await rounds(setting, { count: repetitions, once: run(1) });
  const rows = open.map(({ way }) => echoRow({ mode: load.mode, providers, count }, { way, timed }));
  rows.forEach(onRow);
  return rows;
}

type EchoCase = Pick<WayEchoRow, 'mode' | 'providers' | 'count'>;
type EchoRun = Pick<TaskStatus, 'wallMs' | 'latencyMs'>;

export function echoRow(given: EchoCase, { way, timed }: TimedWay<EchoRun>): WayEchoRow {
  const timesOf = (name: WayName): number[] => (timed.get(name) ?? []).map(({ wallMs }) => wallMs);
  const times = timesOf(way.name);
  const middle = medianBy(timed.get(way.name) ?? [], ({ wallMs }) => wallMs);
  return {
    kind: 'echo',
    ...given,
    way: way.name,
    repetitions: times.length,
    subtasksPerSecond: (given.count * 1000) / middle.wallMs,
    p50Ms: middle.latencyMs.p50,
    p99Ms: middle.latencyMs.p99,
    ofPlain: speedKept(times, way.plain === null ? undefined : timesOf(way.plain)),
  };
}
