import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { CsvReader, parseIdx, parseNpyArray, seededRandom, syntheticDigits, type CsvTable } from '@muster/shared';
import * as fc from 'fast-check';

function idx(shape: readonly number[], { type = 8, magic = 0, bytes = shape.reduce((a, b) => a * b, 1) } = {}): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt16BE(magic);
  header[2] = type;
  header[3] = shape.length;
  for (const [at, side] of shape.entries()) header.writeUInt32BE(side, 4 + 4 * at);
  return Buffer.concat([header, Buffer.alloc(bytes, 5)]);
}

describe('an IDX file', () => {
  test('is read as a view', () => {
    const bytes = idx([2, 3, 4]);
    const { shape, elements } = parseIdx(bytes, 'images');
    expect(shape).toEqual([2, 3, 4]);
    expect(Buffer.compare(elements, Buffer.alloc(24, 5))).toBe(0);
    expect(elements.buffer).toBe(bytes.buffer);
  });

  test.each([
    ['empty', Buffer.alloc(0), /it is empty/],
    ['three bytes', Buffer.from('000008', 'hex'), /starts with 000008;/],
    ['wrong magic', idx([2], { magic: 0x1f8b }), /starts with 1f8b0801; images start with 00000803/],
    ['unknown type', idx([2], { type: 7 }), /starts with 00000701/],
    ['no dimensions', idx([]), /starts with 00000800/],
    ['float32', idx([2], { type: 0x0d }), /elements are float32/],
    ['header cut', idx([2, 3, 4]).subarray(0, 12), /promises 16 bytes, it has 12/],
    ['elements cut', idx([2, 3, 4]).subarray(0, 39), /promises 40 bytes, it has 39/],
    ['a byte too many', idx([2], { bytes: 3 }), /10 are needed, it has 11/],
    ['a side of 0', idx([0, 28, 28]), /shape is 0 x 28 x 28/],
    ['sides that overflow', idx([4294967295, 4294967295, 4294967295], { bytes: 1 }), /the limit is 1073741824/],
  ])('%s: refused', (name, bytes, why) => {
    expect(() => parseIdx(bytes, 'images')).toThrow(
      expect.objectContaining({
        code: name === 'sides that overflow' ? 'TOO_LARGE' : 'BAD_DATA',
        why: expect.stringMatching(why),
        fix: expect.stringMatching(/./),
      }),
    );
  });
});

function readCsv(text: string | Uint8Array, pieceBytes = 7): CsvTable {
  const bytes = Buffer.from(text);
  const reader = new CsvReader('t.csv');
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return reader.end();
}

describe('CSV', () => {
  test.each([
    ['the label is last', '1,2,7\n3,4,8\n', { features: [1, 2, 3, 4], labels: [7, 8] }],
    [
      'a header, Windows line ends, no last line end',
      'a,b,"c"\r\n1,2,7\r\n3,4,8',
      { features: [1, 2, 3, 4], labels: [7, 8] },
    ],
    ['the label is named', 'Label,pixel0,pixel1\n7,1,2\n8,3,4\n', { features: [1, 2, 3, 4], labels: [7, 8] }],
    [
      'in the middle, and blank lines',
      '"a","label","b"\n\n1,7,2\n3,8,4\n\n',
      { features: [1, 2, 3, 4], labels: [7, 8] },
    ],
    [
      'every way to write a number',
      ' -1.5,+.5e1,1\n1E-2 ,2.,0\n',
      { features: [-1.5, 5, Math.fround(0.01), 2], labels: [1, 0] },
    ],
    ['many digits', '1000000000000000000000,1,0\n', { features: [Math.fround(1e21), 1], labels: [0] }],
    ['a byte order mark', '\ufeffa,label\n1,2\n', { features: [1], labels: [2] }],
  ])('%s', (_name, text, { features, labels }) => {
    const table = readCsv(text);
    expect(Array.from(table.features)).toEqual(features);
    expect(Array.from(table.labels)).toEqual(labels);
    expect(table.rows * table.width).toBe(features.length);
  });

  test('any table is read the same in pieces of any size', () => {
    const number = fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -999, max: 999 }));
    const tables = fc
      .integer({ min: 2, max: 6 })
      .chain((width) => fc.array(fc.array(number, { minLength: width, maxLength: width }), { minLength: 1 }));
    fc.assert(
      fc.property(tables, fc.integer({ min: 1, max: 40 }), (rows, pieceBytes) => {
        const table = readCsv(rows.map((row) => row.join(',')).join('\n'), pieceBytes);
        expect(Array.from(table.features, (x) => x + 0)).toEqual(
          rows.flatMap((row) => row.slice(0, -1)).map((x) => x + 0),
        );
        expect(Array.from(table.labels, (x) => x + 0)).toEqual(rows.map((row) => row.at(-1)! + 0));
      }),
    );
  });

  test.each([
    ['empty', '', /it has no line$/],
    ['only a header', 'a,b\n', /no line but its header/],
    ['one column', '1\n2\n', /line 1 has one column/],
    ['a short line', '1,2,3\n1,2\n', /line 2 has 2 columns, the first line 3/],
    ['a long line', '1,2\n1,2,3\n', /line 2 has 3 columns, the first line 2/],
    ['an empty field', '1,2\n,3\n', /line 2, column 1: ""/],
    ['NaN', 'a,b\n1,2\nnan,3\n', /line 3, column 1: "nan" is not a finite/],
    ['Infinity', '1,2\n1,Infinity\n', /line 2, column 2: "Infinity"/],
    ['beyond float32', '1,2\n1e39,3\n', /line 2, column 1: "1e39"/],
    ['hexadecimal', '1,2\n0x10,3\n', /"0x10"/],
    ['a word', '1,2\nsetosa,3\n', /"setosa"/],
    ['other separators', '1;2\n', /line 1 has one column/],
    ['not UTF-8', Buffer.from('312cff0a', 'hex'), /UTF-8/],
  ])('%s: BAD_DATA', (_name, text, why) => {
    expect(() => readCsv(text)).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', why: expect.stringMatching(why), fix: expect.stringMatching(/./) }),
    );
  });
});

/** The descr of a Fortran-order array ends with an F. */
function npy(descr: string, shape: string, elements: Uint8Array | number = 0): Buffer {
  const fortran = descr.endsWith('F') ? 'True' : 'False';
  const text = `{'descr': '${descr.replace('F', '')}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
  const header = Buffer.from(`\u0093NUMPY\u0001\0\0\0${text}`, 'latin1');
  header.writeUInt16LE(text.length, 8);
  return Buffer.concat([header, typeof elements === 'number' ? Buffer.alloc(elements) : elements]);
}

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe('a .npy array', () => {
  test.each([
    ['|b1', Uint8Array.of(1, 0), true],
    ['|u1', Uint8Array.of(255, 1), true],
    ['|i1', Int8Array.of(-128, 1), true],
    ['<u2', Uint16Array.of(65535, 1), true],
    ['<i2', Int16Array.of(-3, 1), true],
    ['<u4', Uint32Array.of(2 ** 32 - 1, 1), true],
    ['<i4', Int32Array.of(-3, 1), true],
    ['<u8', BigUint64Array.of(2n ** 53n, 1n), true],
    ['<i8', BigInt64Array.of(-5n, 1n), true],
    ['<f4', Float32Array.of(-1.5, Number.NaN), false],
    ['<f8', Float64Array.of(1 / 3, 1e300), false],
  ])('of %s', (descr, elements, whole) => {
    const array = parseNpyArray(npy(descr, '(2, 1, 1)', bytesOf(elements)), 'x.npy');
    expect(array).toMatchObject({ shape: [2, 1, 1], whole });
    expect(Array.from(array.elements)).toEqual(Array.from(elements, Number));
  });

  test.each([
    ['Python objects', npy('|O', '(2,)', 16), /only Python can read/],
    ['complex', npy('<c8', '(2,)', 16), /known are b1/],
    ['big-endian', npy('>i4', '(2,)', 8), /'>i4'/],
    ['Fortran order', npy('<f4F', '(2, 2)', 16), /one piece/],
    ['no sample', npy('<f4', '(0, 2)'), /\(0, 2\)/],
    ['cut', npy('<f4', '(2, 2)', 15), /need 16 bytes, the file has 15/],
    ['too long', npy('<f4', '(2, 2)', 17), /need 16 bytes, the file has 17/],
    ['not npy', Buffer.from('hello'), /starts with/],
  ])('%s: BAD_DATA', (_name, bytes, why) => {
    expect(() => parseNpyArray(bytes, 'x.npy')).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', why: expect.stringMatching(why), fix: expect.stringMatching(/./) }),
    );
  });
});

describe('synthetic digits', () => {
  test('are the same bytes everywhere, and the first ones the same in any number', () => {
    const { features, labels } = syntheticDigits({ samples: 300, seed: 7 });
    const few = syntheticDigits({ samples: 10, seed: 7 });
    expect(features.subarray(0, few.features.length)).toEqual(few.features);
    expect(createHash('sha256').update(features).update(bytesOf(labels)).digest('hex')).toBe(
      'cfb6979b86b8c196eac929b3a667770ff4c979ea9e3bc1c19db79af737b5e52d',
    );
  });

  test('differ by seed, are of ten kinds and drawn on a background of 0', () => {
    const { features, labels } = syntheticDigits({ samples: 1000, seed: 1 });
    const counts = Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
    expect(Math.min(...counts)).toBeGreaterThan(60);
    const empty = features.filter((pixel) => pixel === 0).length / features.length;
    expect(empty).toBeGreaterThan(0.6);
    expect(empty).toBeLessThan(0.95);
    expect(Buffer.compare(syntheticDigits({ samples: 1000, seed: 2 }).features, features)).not.toBe(0);
  });

  /** Softmax regression by SGD; about three of four is all that it reaches, so that a network has something to learn. */
  test('a linear model learns them, but not well', () => {
    const { features, labels } = syntheticDigits({ samples: 4000, seed: 3 });
    const accuracy = linearAccuracy(features, labels);
    expect(accuracy).toBeGreaterThan(0.55);
    expect(accuracy).toBeLessThan(0.95);
  });
});

function linearAccuracy(features: Uint8Array, labels: Uint16Array): number {
  const weights = new Float64Array(7850);
  const random = seededRandom(1);
  const train = 3500;
  for (let step = 0; step < 3 * train; step++) {
    const at = Math.floor(random() * train);
    const scores = scoresOf(weights, features, at);
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const sum = powers.reduce((a, b) => a + b);
    for (let digit = 0; digit < 10; digit++) {
      const slope = 0.01 * (powers[digit]! / sum - (labels[at] === digit ? 1 : 0));
      for (let pixel = 0; pixel < 784; pixel++)
        weights[digit * 785 + pixel]! -= (slope * features[at * 784 + pixel]!) / 255;
      weights[digit * 785 + 784]! -= slope;
    }
  }
  const right = Array.from({ length: labels.length - train }, (_, at) => at + train).filter((at) => {
    const scores = scoresOf(weights, features, at);
    return scores.indexOf(Math.max(...scores)) === labels[at];
  });
  return right.length / (labels.length - train);
}

function scoresOf(weights: Float64Array, features: Uint8Array, at: number): number[] {
  return Array.from({ length: 10 }, (_, digit) => {
    let score = weights[digit * 785 + 784]!;
    for (let pixel = 0; pixel < 784; pixel++)
      score += (weights[digit * 785 + pixel]! * features[at * 784 + pixel]!) / 255;
    return score;
  });
}
