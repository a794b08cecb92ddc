/** Rectangles of matrices: packing an operand's blocks, putting a result's tiles in place, and where both lie in a file. */
import type { Dtype, Elements } from './dtype.ts';

/** A dense matrix in memory. */
export interface Matrix<T extends Dtype = Dtype> {
  /** rows * columns elements. */
  readonly elements: Elements<T>;
  readonly rows: number;
  readonly columns: number;
  /** Column by column instead of row by row. */
  readonly fortran: boolean;
}

/** Rows and columns of a matrix, each [from, to). */
export interface Region {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

/**
 * Side of the squares that a transposing copy goes by: 32 x 32 float64 are 8 KiB in source and target each, which fit the first-level
 * cache.
 */
const SQUARE = 32;

/** The region packed row-major into `into`, which is exactly as long as the region. */
export function copyBlock<T extends Dtype>(source: Matrix<T>, region: Region, into: Elements<T>): void {
  if (source.fortran) copyTransposed(source, region, into);
  else copyRows(source, region, into);
}

function copyRows({ elements, columns }: Matrix, region: Region, into: Elements): void {
  const [top, bottom] = region.rows;
  const [left, right] = region.columns;
  const width = right - left;
  if (width === columns) {
    into.set(elements.subarray(top * columns, bottom * columns));
    return;
  }
  for (let row = top; row < bottom; row++) {
    const from = row * columns + left;
    into.set(elements.subarray(from, from + width), (row - top) * width);
  }
}

/** Square by square, because one of the two sides is strided in any order of the loops. */
function copyTransposed(source: Matrix, region: Region, into: Elements): void {
  const [top, bottom] = region.rows;
  const [left, right] = region.columns;
  for (let row = top; row < bottom; row += SQUARE) {
    for (let column = left; column < right; column += SQUARE) {
      const rows = [row, Math.min(bottom, row + SQUARE)] as const;
      const columns = [column, Math.min(right, column + SQUARE)] as const;
      copySquare(source, { rows, columns, origin: [top, left], width: right - left }, into);
    }
  }
}

interface Square extends Region {
  /** Row and column of the source that is element 0 of the target. */
  readonly origin: readonly [number, number];
  readonly width: number;
}

function copySquare(
  { elements, rows: height }: Matrix,
  { rows, columns, origin, width }: Square,
  into: Elements,
): void {
  for (let row = rows[0]; row < rows[1]; row++) {
    const target = (row - origin[0]) * width - origin[1];
    for (let column = columns[0]; column < columns[1]; column++) {
      into[target + column] = elements[column * height + row] as number;
    }
  }
}

/** A packed row-major tile to its place in a row-major matrix. */
export function placeTile<T extends Dtype>(tile: Elements<T>, region: Region, result: Matrix<T>): void {
  const [top, bottom] = region.rows;
  const [left, right] = region.columns;
  const width = right - left;
  if (width === result.columns) {
    result.elements.set(tile, top * width);
    return;
  }
  for (let row = top; row < bottom; row++) {
    const from = (row - top) * width;
    result.elements.set(tile.subarray(from, from + width), row * result.columns + left);
  }
}

/** `count` pieces of `length` bytes, the first at `first`, each `stride` bytes behind the one before. */
export interface ByteRanges {
  readonly first: number;
  readonly length: number;
  readonly stride: number;
  readonly count: number;
}

/** A matrix in a file. */
export interface StoredMatrix extends Omit<Matrix, 'elements'> {
  readonly elementBytes: number;
  /** Bytes before the first element. */
  readonly dataOffset: number;
}

/**
 * Where a region lies in a file: one piece when it is as wide as the lines of the file (rows, or columns in Fortran order), else a piece
 * per line. Read one after the other, the pieces are the region packed in the order of the file. For Fortran order `copyBlock` then
 * transposes it, as a matrix of the region's size.
 */
export function blockByteRanges(stored: StoredMatrix, { rows, columns }: Region): ByteRanges {
  const [lines, within] = stored.fortran ? [columns, rows] : [rows, columns];
  const lineBytes = (stored.fortran ? stored.rows : stored.columns) * stored.elementBytes;
  const length = (within[1] - within[0]) * stored.elementBytes;
  const first = stored.dataOffset + lines[0] * lineBytes + within[0] * stored.elementBytes;
  const count = lines[1] - lines[0];
  return length === lineBytes
    ? { first, length: length * count, stride: length * count, count: 1 }
    : { first, length, stride: lineBytes, count };
}
