import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  blockIdOf,
  seededRandom,
  silentLogger,
  zeros,
  type Elements,
  type MatrixMultSpec,
  type OperandDtype,
  type TaskId,
} from '@muster/shared';
import { matrixMultSpec, randomMatrix, TemporaryDirectories } from '@muster/shared/testkit';
import { appendFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { startVerifier, type Verdict, type Verifier } from '../../src/verify/index.ts';
import { honestProduct, WrittenProduct, type Product } from './written-product.ts';

const script = join(import.meta.dirname, '../../dist/verify/verify-main.js');
const directories = new TemporaryDirectories();
let verifier: Verifier;
let tasks = 0;

beforeAll(async () => {
  verifier = await startVerifier({ logger: silentLogger, script });
});
afterAll(async () => {
  await verifier.stop();
});
afterEach(() => directories.removeAll());

const nextTask = (): TaskId => (tasks += 1).toString(16).padStart(16, '0') as TaskId;

/** C is checked as it is given. */
async function verdicts(it: Product, c: Elements): Promise<Verdict[]> {
  const written = new WrittenProduct(directories.make(), it);
  const task = nextTask();
  verifier.open(task, written.operands);
  try {
    return await Promise.all(written.tiles(task, c).map((tile) => verifier.check(tile)));
  } finally {
    verifier.close(task);
  }
}

const accepted = async (it: Product, c: Elements): Promise<boolean> => (await verdicts(it, c)).every(({ ok }) => ok);

const { floor } = Math;

type Fill = (row: number, column: number, random: () => number) => number;

const uniform: Fill = (_row, _column, random) => random() - 0.5;

function matrix(dtype: OperandDtype, [rows, columns]: readonly [number, number], fill: Fill): Elements {
  const random = seededRandom(rows * 7 + columns);
  const elements = zeros(dtype, rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) elements[row * columns + column] = fill(row, column, random);
  return elements;
}

function product(a: Fill = uniform, b: Fill = uniform, shape: Partial<MatrixMultSpec> = {}): Product {
  const spec = matrixMultSpec({ m: 96, k: 300, n: 130, ...shape });
  return { spec, a: matrix(spec.dtype, [spec.m, spec.k], a), b: matrix(spec.dtype, [spec.k, spec.n], b) };
}

/** Toward zero, as hardware does it that drops the lower half. */
function toBfloat16(c: Elements): Elements {
  const bits = new Uint32Array(Float32Array.from(c).buffer);
  return new Float32Array(bits.map((word) => (word & 0xffff0000) >>> 0).buffer);
}

const positive: Fill = (_row, _column, random) => random();
const digits: Fill = (_row, _column, random) => floor(random() * 10);
const scaled =
  (scale: number): Fill =>
  (row, column, random) =>
    uniform(row, column, random) * scale;

describe('honest float32 results pass', () => {
  const cases: Record<string, Product> = {
    'uniform around zero': product(),
    'all positive': product(positive, positive),
    'constant: rounding drifts the same way in every step': product(
      () => 0.1,
      () => 0.1,
      { k: 3000, m: 64, n: 64 },
    ),
    'all zero': product(
      () => 0,
      () => 0,
    ),
    'A zero': product(() => 0),
    huge: product(scaled(1e30)),
    tiny: product(scaled(1e-30)),
    'denormal products': product(scaled(1e-20), scaled(1e-20)),
    'vanishing products': product(scaled(1e-30), scaled(1e-30)),
    'huge times tiny': product(scaled(1e30), scaled(1e-30)),
    'rows of very different size': product(
      (row, column, random) => uniform(row, column, random) * 10 ** ((row % 41) - 20),
    ),
    'columns of very different size': product(
      uniform,
      (row, column, random) => uniform(row, column, random) * 10 ** ((column % 41) - 20),
    ),
    'inner index of very different size': product(
      (row, column, random) => uniform(row, column, random) * 10 ** ((column % 21) - 10),
      (row, column, random) => uniform(row, column, random) * 10 ** (10 - (row % 21)),
    ),
    'sums that cancel': product(
      (row, column) => 1 + ((row * 31 + (column % 150)) % 97) / 97,
      (row, column) => (row < 150 ? 1 : -1) * (1 + (((row % 150) * 13 + column) % 89) / 89),
    ),
    sparse: product((row, column) => (column === (row * 7) % 300 ? 3.25 : 0)),
    'one outlier in each row': product((row, column, random) => (column === row ? 1e6 : random() - 0.5)),
    'a single row': product(uniform, uniform, { m: 1 }),
    'a single column': product(uniform, uniform, { n: 1 }),
    'a single product': product(uniform, uniform, { m: 1, k: 1, n: 1 }),
    'K of 1': product(uniform, uniform, { k: 1 }),
    'several chunks along K': product(uniform, uniform, { m: 70, k: 8500, n: 66 }),
    'several stripes': product(uniform, uniform, { m: 700, k: 40, n: 530 }),
  };
  test.each(Object.entries(cases))('%s', async (_name, it) => {
    const all = await verdicts(it, honestProduct(it));
    expect(all.map(({ ok, residual, threshold }) => (ok ? true : { residual, threshold }))).toEqual(
      all.map(() => true),
    );
  });
});

describe('wrong float32 results do not', () => {
  const it = product(uniform, uniform, { k: 2048, m: 80, n: 80 });
  const { k, n } = it.spec;
  const honest = honestProduct(it);
  const changed = (change: (c: Elements) => void): Elements => {
    const c = honest.slice();
    change(c);
    return c;
  };
  const cases: Record<string, Elements> = {
    'a zeroed row': changed((c) => c.fill(0, 5 * n, 6 * n)),
    'all zero': changed((c) => c.fill(0)),
    'one element off by 0.01 sqrt(K)': changed(
      (c) => (c[17 * n + 3] = (c[17 * n + 3] as number) + 0.01 * Math.sqrt(k)),
    ),
    bfloat16: toBfloat16(honest),
    'two rows swapped': changed((c) => c.copyWithin(0, n, 2 * n)),
    'two columns of a tile swapped': changed((c) => {
      for (let row = 0; row < 80; row++)
        [c[row * n], c[row * n + 1]] = [c[row * n + 1] as number, c[row * n] as number];
    }),
    transposed: Float32Array.from(honest, (_, at) => honest[(at % n) * n + Math.floor(at / n)] as number),
    'a NaN': changed((c) => (c[100] = Number.NaN)),
    'an infinity': changed((c) => (c[100] = -Infinity)),
    'all NaN': changed((c) => c.fill(Number.NaN)),
    'inflated, to widen the threshold': changed((c) => (c[100] = 1e30)),
    'twice as large': Float32Array.from(honest, (value) => value * 2),
    'of the negative': Float32Array.from(honest, (value) => -value),
    'of other operands': honestProduct(product(uniform, positive, { k: 2048, m: 80, n: 80 })),
  };
  test.each(Object.entries(cases))('%s', async (_name, c) => {
    expect(await accepted(it, c)).toBe(false);
  });

  test('at any scale, and for data of one sign', async () => {
    for (const [a, b] of [[scaled(1e30)], [scaled(1e-30)], [positive, positive]] as const) {
      const other = product(a, b);
      const c = honestProduct(other);
      expect(await accepted(other, toBfloat16(c))).toBe(false);
      expect(await accepted(other, c.fill(0, 0, other.spec.n))).toBe(false);
    }
  });

  /** Every vector may have a small component at one column: eight rows miss it together once in 10^10. */
  test.each([
    { what: 'whole numbers up to 9, off by one', depth: 512, fill: digits, error: 1 },
    { what: 'whole numbers up to 9 over a long K, off by four', depth: 3000, fill: digits, error: 4 },
    { what: 'positive numbers', depth: 3000, fill: positive, error: 0.1 },
  ])('one element in each of eight rows: $what', async ({ depth, fill, error }) => {
    const other = product(fill, fill, { m: 40, k: depth, n: 256 });
    // Rounded once: where many rows drift, only some are recomputed.
    const c = Float32Array.from(honestProduct({ ...other, spec: { ...other.spec, dtype: 'float64' } }));
    expect(await accepted(other, c)).toBe(true);
    for (let row = 0; row < 40; row += 5) {
      const at = row * 256 + 31 * (row % 8);
      c[at] = (c[at] as number) + error;
    }
    expect(await accepted(other, c)).toBe(false);
  });

  test('in a small row beside a large one', async () => {
    const other = product((row, column, random) => uniform(row, column, random) * (row === 0 ? 1e20 : 1));
    const c = honestProduct(other);
    c[5 * other.spec.n] = (c[5 * other.spec.n] as number) + 1;
    expect(await accepted(other, c)).toBe(false);
  });

  test('in one of several stripes: only the tiles that hold the error', async () => {
    const other = product(uniform, uniform, { m: 600, n: 530 });
    const c = honestProduct(other);
    c[580 * 530 + 300] = (c[580 * 530 + 300] as number) + 0.2;
    const written = new WrittenProduct(directories.make(), other);
    const task = nextTask();
    verifier.open(task, written.operands);
    const [upper, lower] = [written.tiles(task, c, [0, 512]), written.tiles(task, c, [512, 600])];
    const all = await Promise.all([...upper, ...lower].map((tile) => verifier.check(tile)));
    expect(all.map(({ ok }) => ok)).toEqual([true, true, true, true, false, true]);
    const misplaced = verifier.check({ task, path: 'none', rows: [0, 512], columns: [0, 100] });
    await expect(misplaced).rejects.toMatchObject({ code: 'BUG' });
    verifier.close(task);
  });

  test('nor files of the wrong length, or none', async () => {
    const written = new WrittenProduct(directories.make(), it);
    const task = nextTask();
    verifier.open(task, written.operands);
    const [long, short, gone] = [0, 1, 2].map(() => written.tiles(task, honest)[0]);
    if (!long || !short || !gone) throw new Error('no tile');
    appendFileSync(long.path, 'x');
    truncateSync(short.path, 100);
    rmSync(gone.path);
    for (const tile of [long, short, gone]) {
      expect(await verifier.check(tile)).toMatchObject({ ok: false, residual: Infinity, digest: '' });
    }
    verifier.close(task);
  });
});

describe('operands that are not finite', () => {
  const cases: Record<string, Product> = {
    'a NaN in A': product((row, column, random) => (row === 3 && column === 7 ? Number.NaN : random() - 0.5)),
    'an infinity in A': product((row, column, random) => (row === 3 && column === 7 ? Infinity : random() - 0.5)),
    'a NaN in B': product(uniform, (row, column, random) => (row === 9 && column === 11 ? Number.NaN : random() - 0.5)),
    'infinities in B that meet': product(uniform, (row, column, random) =>
      column === 11 && row % 50 === 0 ? Infinity : random() - 0.5,
    ),
    'both, in several stripes': product(
      (row, column, random) => (row === 500 && column === 7 ? Number.NaN : random() - 0.5),
      (row, column, random) => (row === 9 && column === 300 ? Number.NaN : random() - 0.5),
      { m: 520, n: 330 },
    ),
    'sums beyond the largest float32': product(scaled(1e30), scaled(1e30)),
    'some sums beyond the largest float32': product(scaled(3e19), scaled(3e18)),
  };
  test.each(Object.entries(cases))('%s: the honest result passes, another does not', async (_name, it) => {
    const { n } = it.spec;
    const c = honestProduct(it);
    expect(await accepted(it, c)).toBe(true);
    const finite = c.slice();
    const at = c.findIndex((value) => !Number.isFinite(value));
    finite[at < 0 ? 3 * n + 11 : at] = 1;
    expect(await accepted(it, finite)).toBe(false);
    const other = c.slice();
    other[50 * n + 50] = Number.isFinite(c[50 * n + 50]) ? (c[50 * n + 50] as number) * 1.5 : 0;
    expect(await accepted(it, other)).toBe(false);
  });
});

describe('float64', () => {
  test.each([1, 1e300, 1e-170])('at scale %p: honest passes, float32 does not', async (scale) => {
    const it = product(scaled(scale), uniform, { dtype: 'float64' });
    const c = honestProduct(it);
    expect(await accepted(it, c)).toBe(true);
    const narrow = Float64Array.from(c, (value) => Math.fround(value / scale) * scale);
    expect(await accepted(it, narrow)).toBe(false);
  });
});

describe('int8', () => {
  const whole = (shape: Partial<MatrixMultSpec>): Product => {
    const spec = matrixMultSpec({ dtype: 'int8', ...shape });
    const [a, b] = [spec.m * spec.k, spec.k * spec.n].map((count, seed) =>
      randomMatrix('int8', count, seededRandom(seed)),
    );
    return { spec, a: a as Elements, b: b as Elements };
  };

  test('is exact: one off by one is refused', async () => {
    const it = whole({ m: 100, k: 333, n: 200 });
    const c = honestProduct(it);
    const all = await verdicts(it, c);
    expect(all.every(({ ok, residual, threshold }) => ok && residual === 0 && threshold === 0)).toBe(true);
    for (const at of [0, 12_345, 19_999]) {
      const wrong = c.slice();
      wrong[at] = (wrong[at] as number) + 1;
      expect(await accepted(it, wrong)).toBe(false);
    }
  });

  test('with the largest values over a long K, in several chunks', async () => {
    const it = whole({ m: 2, k: 40_000, n: 3 });
    it.a.fill(-128);
    it.b.fill(-128);
    const c = honestProduct(it);
    expect(c[0]).toBe(40_000 * 128 * 128);
    expect(await accepted(it, c)).toBe(true);
    c[5] = -(2 ** 31);
    expect(await accepted(it, c)).toBe(false);
  });
});

describe('the verifier', () => {
  const it = product();
  const c = honestProduct(it);

  test('tells the digest, and takes the time', async () => {
    const written = new WrittenProduct(directories.make(), it);
    const task = nextTask();
    const [tile] = written.tiles(task, c);
    if (!tile) throw new Error('no tile');
    verifier.open(task, written.operands);
    const verdict = await verifier.check(tile);
    expect(verdict.digest).toBe(blockIdOf(readFileSync(tile.path)));
    expect(verdict.verifyMs).toBeGreaterThan(0);
    expect(verdict.residual).toBeLessThan(verdict.threshold);
    verifier.close(task);
  });

  test('lets checks wait for the operands, and gives them up when the task is closed', async () => {
    const written = new WrittenProduct(directories.make(), it);
    const [early, never] = [nextTask(), nextTask()];
    const waiting = written.tiles(early, c).map((tile) => verifier.check(tile));
    const givenUp = Promise.allSettled(written.tiles(never, c).map((tile) => verifier.check(tile)));
    verifier.open(early, written.operands);
    verifier.close(never);
    expect((await Promise.all(waiting)).every(({ ok }) => ok)).toBe(true);
    for (const outcome of await givenUp) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'TASK_CANCELLED' } });
    }
    verifier.close(early);
  });

  test('says so when an operand is gone; a B that it knows is not read again', async () => {
    const written = new WrittenProduct(directories.make(), product(positive));
    const own = new WrittenProduct(directories.make(), it);
    const missing = { ...own.operands, aPaths: ['/nowhere'] };
    const without = nextTask();
    verifier.open(without, missing);
    for (const tile of own.tiles(without, c)) {
      await expect(verifier.check(tile)).rejects.toMatchObject({
        code: 'BLOCK_MISSING',
        why: expect.stringContaining('/nowhere'),
      });
    }
    const known = nextTask();
    verifier.open(known, { ...written.operands, bPaths: own.operands.bPaths.map(() => '/nowhere') });
    const sameB = honestProduct(product(positive));
    expect(
      (await Promise.all(written.tiles(known, sameB).map((tile) => verifier.check(tile)))).every(({ ok }) => ok),
    ).toBe(true);
    for (const task of [without, known]) verifier.close(task);
  });

  async function withDeaths<T>(deaths: number, run: (mortal: Verifier) => Promise<T>): Promise<T> {
    process.env['MUSTER_TEST_LIVES'] = join(directories.make(), 'lives');
    process.env['MUSTER_TEST_DEATHS'] = String(deaths);
    const mortal = await startVerifier({
      logger: silentLogger,
      script: join(import.meta.dirname, 'children/dying-verify.mjs'),
    });
    try {
      return await run(mortal);
    } finally {
      await mortal.stop();
    }
  }

  function checkAll(mortal: Verifier): Promise<Verdict>[] {
    const written = new WrittenProduct(directories.make(), it);
    const task = nextTask();
    mortal.open(task, written.operands);
    return written.tiles(task, c).map((tile) => mortal.check(tile));
  }

  test('starts its process again when it dies, with the tasks that are open, and loses no check', async () => {
    const all = await withDeaths(2, (mortal) => Promise.all(checkAll(mortal)));
    expect(all.map(({ ok }) => ok)).toEqual(all.map(() => true));
  });

  test('gives up a check at which the process dies again and again', async () => {
    const outcomes = await withDeaths(99, (mortal) => Promise.allSettled(checkAll(mortal)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'COMPUTE_FAILED' } });
    }
  });
});
