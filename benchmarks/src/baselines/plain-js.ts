/** Up to this n the whole product is timed: one second on one core. */
const WHOLE_MAX = 1000;
/** Above that only this many rows of C are timed, and the time is scaled up. */
const SLICE_ROWS = 48;

/**
 * Rows [0, rows) of the product of two n x n matrices, by loops in the order i, k, j: the inner one runs along rows of B and C, which is
 * the fastest order of three plain loops (1.0 GFLOP/s where i, j, k reaches 0.5).
 */
export function plainProduct(a: Float32Array, b: Float32Array, { n, rows }: ProductRows): Float32Array {
  const product = new Float32Array(rows * n);
  for (let row = 0; row < rows; row++) {
    const sums = product.subarray(row * n, (row + 1) * n);
    for (let inner = 0; inner < n; inner++)
      addRow(sums, b.subarray(inner * n, (inner + 1) * n), a[row * n + inner] ?? 0);
  }
  return product;
}

export interface ProductRows {
  readonly n: number;
  readonly rows: number;
}

function addRow(sums: Float32Array, row: Float32Array, factor: number): void {
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] as number) + factor * (row[at] as number);
}

export interface PlainTime {
  readonly ms: number;
  /** Rows of C that were computed; `ms` is scaled up when they are fewer than n. */
  readonly rows: number;
}

/** Time of the product in plain JavaScript, after a short run that warms the compiler up. */
export function timePlainProduct(a: Float32Array, b: Float32Array, n: number): PlainTime {
  plainProduct(a, b, { n, rows: Math.min(n, 4) });
  const rows = n <= WHOLE_MAX ? n : SLICE_ROWS;
  const startMs = performance.now();
  plainProduct(a, b, { n, rows });
  return { ms: ((performance.now() - startMs) * n) / rows, rows };
}
