import {
  blockIdOf,
  bytesOf,
  chunkRange,
  copyBlock,
  productDtype,
  stripeRange,
  stripingOfA,
  stripingOfB,
  zeros,
  type Elements,
  type MatrixMultSpec,
  type Region,
  type TaskId,
} from '@muster/shared';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperandFiles, Tile } from '../../src/verify/index.ts';

const { fround } = Math;

export interface Product {
  readonly spec: MatrixMultSpec;
  readonly a: Elements;
  readonly b: Elements;
}

/**
 * C as a slow but honest device computes it: every product and sum rounded to float32, added one by one. That is the largest rounding
 * error that a device may make; CPUs and GPUs add in parts.
 */
export function honestProduct({ spec: { m, k, n, dtype }, a, b }: Product): Elements {
  const c = zeros(productDtype(dtype), m * n);
  const sum = dtype === 'float32' ? roundedSum : exactSum;
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++)
      c[row * n + column] = sum({ a, b, n }, row * k, [column, column + k * n]);
  return c;
}

type Terms = Pick<Product, 'a' | 'b'> & { readonly n: number };

/** Two functions, each with one kind of sum: with the rounding as a parameter they take ten times as long. */
function roundedSum({ a, b, n }: Terms, fromA: number, [fromB, toB]: readonly [number, number]): number {
  let sum = 0;
  for (let atA = fromA, atB = fromB; atB < toB; atA++, atB += n)
    sum = fround(sum + fround((a[atA] as number) * (b[atB] as number)));
  return sum;
}

function exactSum({ a, b, n }: Terms, fromA: number, [fromB, toB]: readonly [number, number]): number {
  let sum = 0;
  for (let atA = fromA, atB = fromB; atB < toB; atA++, atB += n) sum += (a[atA] as number) * (b[atB] as number);
  return sum;
}

/** Blocks and tiles of a product as files of a directory. */
export class WrittenProduct {
  readonly operands: OperandFiles;
  readonly #directory: string;
  readonly #spec: MatrixMultSpec;
  #files = 0;

  constructor(directory: string, { spec, a, b }: Product) {
    this.#directory = directory;
    this.#spec = spec;
    const [ofA, ofB] = [stripingOfA(spec), stripingOfB(spec)];
    const aBlocks = regions(ofA).map(([rows, columns]) => this.#cut(a, [spec.m, spec.k], { rows, columns }));
    const bBlocks = regions(ofB).map(([columns, rows]) => this.#cut(b, [spec.k, spec.n], { rows, columns }));
    this.operands = {
      spec,
      aPaths: aBlocks.map((block) => this.#write(block)),
      bPaths: bBlocks.map((block) => this.#write(block)),
      bIds: bBlocks.map((block) => blockIdOf(bytesOf(block))),
    };
  }

  /** C, or some of its rows, cut into tiles of one column stripe. */
  tiles(task: TaskId, c: Elements, rows: readonly [number, number] = [0, this.#spec.m]): Tile[] {
    const striping = stripingOfB(this.#spec);
    return Array.from({ length: striping.stripes }, (_, stripe) => {
      const columns = stripeRange(striping, stripe);
      return { task, rows, columns, path: this.#write(this.#cut(c, [this.#spec.m, this.#spec.n], { rows, columns })) };
    });
  }

  #cut(elements: Elements, [rows, columns]: readonly [number, number], region: Region): Elements {
    const [height, width] = [region.rows, region.columns].map(([from, to]) => to - from) as [number, number];
    const into = elements.slice(0, height * width);
    copyBlock({ elements, rows, columns, fortran: false }, region, into);
    return into;
  }

  #write(elements: Elements): string {
    const path = join(this.#directory, `file-${(this.#files += 1)}`);
    writeFileSync(path, bytesOf(elements));
    return path;
  }
}

/** [stripe range, chunk range] of each block, by number. */
function regions(
  striping: ReturnType<typeof stripingOfA>,
): (readonly [readonly [number, number], readonly [number, number]])[] {
  return Array.from({ length: striping.stripes }, (_, stripe) =>
    Array.from(
      { length: striping.chunks },
      (_unused, chunk) => [stripeRange(striping, stripe), chunkRange(striping, chunk)] as const,
    ),
  ).flat();
}
