import { describe, expect, test } from '@jest/globals';
import {
  blockByteRanges,
  bytesOf,
  copyBlock,
  dtypes,
  placeTile,
  seededRandom,
  zeros,
  type Dtype,
  type Elements,
  type Matrix,
  type Region,
} from '@muster/shared';
import { randomMatrix } from '@muster/shared/testkit';
import * as fc from 'fast-check';

const dtypeNames = Object.keys(dtypes) as Dtype[];

const cases = fc
  .record({ rows: fc.integer({ min: 1, max: 90 }), columns: fc.integer({ min: 1, max: 90 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      region: fc.record({ rows: rangeWithin(rows), columns: rangeWithin(columns) }),
      fortran: fc.boolean(),
      dtype: fc.constantFrom(...dtypeNames),
    }),
  );

function rangeWithin(size: number): fc.Arbitrary<readonly [number, number]> {
  const bounds = fc.tuple(fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: size }));
  return fc.oneof(
    fc.constant([0, size] as const),
    bounds.map(([x, y]) => [Math.min(x, y), Math.max(x, y)] as const).filter(([from, to]) => from < to),
  );
}

const at = ({ elements, rows, columns, fortran }: Matrix, row: number, column: number): number =>
  elements[fortran ? column * rows + row : row * columns + column] as number;

function slowBlock(source: Matrix, { rows, columns }: Region): number[] {
  const block: number[] = [];
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let column = columns[0]; column < columns[1]; column++) block.push(at(source, row, column));
  }
  return block;
}

const sizeOf = ({ rows, columns }: Region): number => (rows[1] - rows[0]) * (columns[1] - columns[0]);

describe('blocks', () => {
  test('are packed row-major from either order', () => {
    fc.assert(
      fc.property(cases, ({ rows, columns, region, fortran, dtype }) => {
        const source = { elements: randomMatrix(dtype, rows * columns, seededRandom(1)), rows, columns, fortran };
        const block = zeros(dtype, sizeOf(region));
        copyBlock(source, region, block);
        expect(Array.from(block)).toEqual(slowBlock(source, region));
      }),
    );
  });

  test('go back to their place and nowhere else', () => {
    fc.assert(
      fc.property(cases, ({ rows, columns, region, dtype }) => {
        const result = { elements: zeros(dtype, rows * columns), rows, columns, fortran: false };
        const tile = zeros(dtype, sizeOf(region)).fill(7);
        placeTile(tile, region, result);
        expect(slowBlock(result, region).every((value) => value === 7)).toBe(true);
        expect(result.elements.filter((value: number) => value === 7)).toHaveLength(tile.length);
      }),
    );
  });

  test('lie in a file where blockByteRanges says', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 0, max: 200 }), ({ rows, columns, region, fortran, dtype }, dataOffset) => {
        const source = { elements: randomMatrix(dtype, rows * columns, seededRandom(2)), rows, columns, fortran };
        const file = Buffer.concat([Buffer.alloc(dataOffset, 0xff), bytesOf(source.elements)]);
        const elementBytes = dtypes[dtype].bytes;
        const { first, length, stride, count } = blockByteRanges(
          { rows, columns, fortran, elementBytes, dataOffset },
          region,
        );
        const pieces = Array.from({ length: count }, (_, piece) =>
          file.subarray(first + piece * stride, first + piece * stride + length),
        );
        const read = zeros(dtype, sizeOf(region));
        bytesOf(read).set(Buffer.concat(pieces));
        expect(Array.from(packed(read, region, fortran))).toEqual(slowBlock(source, region));
      }),
    );
  });

  test('as wide as the file are one piece', () => {
    const stored = { rows: 1000, columns: 50, fortran: false, elementBytes: 4, dataOffset: 128 };
    const band: Region = { rows: [10, 30], columns: [0, 50] };
    expect(blockByteRanges(stored, band)).toEqual({ first: 128 + 2000, length: 4000, stride: 4000, count: 1 });
    expect(blockByteRanges({ ...stored, fortran: true }, band)).toMatchObject({ length: 80, stride: 4000, count: 50 });
  });

  test('keep NaN and signed zero', () => {
    const source = { elements: Float64Array.of(NaN, -0, 1, 2), rows: 2, columns: 2, fortran: true };
    const block = zeros('float64', 4);
    copyBlock(source, { rows: [0, 2], columns: [0, 2] }, block);
    expect(Array.from(block)).toEqual([NaN, 1, -0, 2]);
  });
});

function packed(read: Elements, region: Region, fortran: boolean): Elements {
  if (!fortran) return read;
  const [rows, columns] = [region.rows[1] - region.rows[0], region.columns[1] - region.columns[0]];
  const turned = read.slice();
  copyBlock({ elements: read, rows, columns, fortran }, { rows: [0, rows], columns: [0, columns] }, turned);
  return turned;
}
