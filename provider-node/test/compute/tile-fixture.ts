/** Operands on disk in the shape in which a provider finds them, and the product that they should give. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blockIdOf,
  bytesOf,
  elementsOf,
  productDtype,
  seededRandom,
  zeros,
  type BlockId,
  type Elements,
  type OperandDtype,
  type TaskId,
  type TileWork,
} from '@muster/shared';
import type { Job } from '../../src/compute/compute-protocol.ts';
import { naiveProduct } from './loop-multiplier.ts';

export interface TileShape {
  readonly dtype: OperandDtype;
  readonly rows: readonly number[];
  readonly depths: readonly number[];
  readonly columns: number;
}

export interface Tile {
  readonly job: Job & { readonly work: TileWork };
  readonly expected: Elements;
  /** What the kernel wrote. */
  result(): Elements;
  /** Largest difference to the expected product, and the one that rounding explains. */
  off(): { readonly worst: number; readonly allowed: number };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const ROUND_OFF = { float32: 2 ** -24, float64: 2 ** -53, int8: 0 };

/** A directory of blocks. Elements are in [-0.5, 0.5), or the extremes of int8. */
export class BlockDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'muster-tile-'));
  #tiles = 0;

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  tile({ dtype, rows, depths, columns }: TileShape, { seedA = 1, seedB = 2 } = {}): Tile {
    const [m, k] = [sum(rows), sum(depths)];
    const [a, b] = [randomMatrix(dtype, m * k, seedA), randomMatrix(dtype, k * columns, seedB)];
    const leftBlocks = rows.flatMap((count, stripe) =>
      depths.map((depth, chunk) => {
        const from = [sum(rows.slice(0, stripe)), sum(depths.slice(0, chunk))] as const;
        return this.#store(cut(a, { from, size: [count, depth], width: k, dtype }));
      }),
    );
    const rightBlocks = depths.map((depth, chunk) => {
      const from = [sum(depths.slice(0, chunk)), 0] as const;
      return this.#store(cut(b, { from, size: [depth, columns], width: columns, dtype }));
    });
    const out = join(this.path, `tile-${this.#tiles++}`);
    const work = { dtype, rows: [...rows], columns, depths: [...depths], a: leftBlocks, b: rightBlocks };
    const expected = naiveProduct(dtype, { a: bytesOf(a), b: bytesOf(b) }, [m, k, columns]);
    const result = (): Elements => elementsOf(productDtype(dtype), readFileSync(out));
    const paths = [...new Set([...leftBlocks, ...rightBlocks])].map(this.#pathOf);
    return {
      job: { task: 'task' as TaskId, taskType: 'matrix_mult', work, paths, out },
      expected,
      result,
      off: () => ({ worst: worstDifference(result(), expected), allowed: 4 * ROUND_OFF[dtype] * k * 0.25 }),
    };
  }

  #store(block: Elements): BlockId {
    const id = blockIdOf(bytesOf(block));
    writeFileSync(this.#pathOf(id), bytesOf(block));
    return id;
  }

  readonly #pathOf = (id: BlockId): string => join(this.path, id);
}

function randomMatrix(dtype: OperandDtype, count: number, seed: number): Elements {
  const draw = seededRandom(seed);
  const elements = zeros(dtype, count);
  for (let i = 0; i < count; i++) elements[i] = dtype === 'int8' ? (draw() < 0.5 ? -128 : 127) : draw() - 0.5;
  return elements;
}

interface Cut {
  readonly from: readonly [number, number];
  readonly size: readonly [number, number];
  readonly width: number;
  readonly dtype: OperandDtype;
}

function cut(matrix: Elements, { from: [row, column], size: [rows, columns], width, dtype }: Cut): Elements {
  const block = zeros(dtype, rows * columns);
  for (let i = 0; i < block.length; i++) {
    block[i] = matrix[(row + Math.floor(i / columns)) * width + column + (i % columns)]!;
  }
  return block;
}

function worstDifference(answer: Elements, expected: Elements): number {
  if (answer.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < answer.length; i++) {
    const off = Math.abs(answer[i]! - expected[i]!);
    if (!(off <= worst)) worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
  }
  return worst;
}
