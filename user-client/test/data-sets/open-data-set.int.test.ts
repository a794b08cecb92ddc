import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { gatherBatch, packBlock, syntheticDigits, viewBlock } from '@muster/shared';
import { skipBecause, TemporaryDirectories } from '@muster/shared/testkit';
import { openDataSet, type DataSet, type DataSetOptions } from '../../src/index.ts';
import { hasNumpy, python } from '../acceptance/numpy.ts';
import { zip } from '../support/zip.ts';

const directories = new TemporaryDirectories();
let directory: string;
beforeEach(() => {
  directory = directories.make();
});
afterEach(() => directories.removeAll());

const write = (name: string, bytes: Uint8Array | string): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};

const open = (source: string, options: Partial<DataSetOptions> = {}): Promise<DataSet> =>
  openDataSet(source, { seed: 1, ...options });

const refused = (code: string, why: RegExp): unknown =>
  expect.objectContaining({ code, why: expect.stringMatching(why), fix: expect.stringMatching(/./) });

function idx(shape: readonly number[], elements: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 8;
  header[3] = shape.length;
  for (const [at, side] of shape.entries()) header.writeUInt32BE(side, 4 + 4 * at);
  return Buffer.concat([header, elements]);
}

/** Image n is full of n, its label is n modulo 3. */
function writeIdx(part: string, samples: number, pack: (bytes: Buffer) => Uint8Array = (bytes) => bytes): void {
  const ending = pack === gzipSync ? '.gz' : '';
  const images = Uint8Array.from({ length: samples * 6 }, (_, at) => Math.floor(at / 6));
  const labels = Uint8Array.from({ length: samples }, (_, at) => at % 3);
  write(`${part}-images-idx3-ubyte${ending}`, pack(idx([samples, 2, 3], images)));
  write(`${part}-labels-idx1-ubyte${ending}`, pack(idx([samples], labels)));
}

type Elements = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array;
const DESCR = new Map<unknown, string>([
  [Uint8Array, '|u1'],
  [Int32Array, '<i4'],
  [BigInt64Array, '<i8'],
  [Float32Array, '<f4'],
  [Float64Array, '<f8'],
]);

function npy(shape: readonly number[], elements: Elements, descr = DESCR.get(elements.constructor)): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }\n`;
  const header = Buffer.from(`\u0093NUMPY\u0001\0\0\0${text}`, 'latin1');
  header.writeUInt16LE(text.length, 8);
  return Buffer.concat([header, new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength)]);
}

const npz = (arrays: Readonly<Record<string, Uint8Array>>): Buffer =>
  zip(Object.entries(arrays).map(([name, bytes]) => ({ name: `${name}.npy`, bytes })));

describe('a directory of IDX files', () => {
  test.each([
    ['as they are', undefined],
    ['with .gz', gzipSync],
  ])('%s', async (_name, pack) => {
    writeIdx('train', 7, pack);
    writeIdx('t10k', 2, pack);
    const { layout, train, test: tested, describe: described } = await open(directory);
    expect(layout).toEqual({
      features: [1, 2, 3],
      featureType: 'uint8',
      scale: 1 / 255,
      shift: 0,
      target: { kind: 'classes', classes: 3 },
      samplesPerBlock: 131072,
    });
    expect([train.samples, tested.samples]).toEqual([7, 2]);
    expect(train.read(4, 6)).toEqual({
      features: Uint8Array.of(4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5),
      targets: Uint16Array.of(1, 2),
    });
    expect(described).toBe('7 samples to train and 2 to test with: 1 x 2 x 3 uint8, 3 classes');
  });

  test('without a test set a seeded share is held out, in the order of the files', async () => {
    writeIdx('train', 40);
    const whole = await open(directory);
    expect([whole.train.samples, whole.test.samples]).toEqual([36, 4]);
    const numbersOf = ({ train, test: tested }: DataSet): number[][] =>
      [train, tested].map((split) => Array.from(split.read(0, split.samples).features).filter((_, at) => at % 6 === 0));
    const [first, again, other] = [
      numbersOf(await open(directory, { testShare: 0.5 })),
      numbersOf(await open(directory, { testShare: 0.5 })),
      numbersOf(await open(directory, { testShare: 0.5, seed: 2 })),
    ];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(first.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, at) => at));
    expect(first[1]).toEqual(first[1]!.toSorted((a, b) => a - b));
    expect(first[1]).toHaveLength(20);
  });

  test.each([
    ['no such files', () => writeIdx('valid', 2), 'BAD_DATA', /among its 2 entries/],
    [
      'a label too many',
      () => write('train-labels-idx1-ubyte', idx([8], new Uint8Array(8))),
      'BAD_DATA',
      /the one has 7 samples, the other 8/,
    ],
    [
      'images to test with and no labels',
      () => write('t10k-images-idx3-ubyte', idx([1, 2, 3], new Uint8Array(6))),
      'BAD_DATA',
      /t10k-images-idx3-ubyte, and not the file that belongs to it/,
    ],
    ['wrong magic', () => write('train-labels-idx1-ubyte', 'hello'), 'BAD_DATA', /starts with 68656c6c/],
    ['damaged gzip', () => write('train-labels-idx1-ubyte', gzipSync('hello').subarray(0, 12)), 'BAD_DATA', /gunzip: /],
    [
      'another image size to test with',
      () => {
        write('t10k-images-idx3-ubyte', idx([1, 3, 2], new Uint8Array(6)));
        write('t10k-labels-idx1-ubyte', idx([1], new Uint8Array(1)));
      },
      'BAD_DATA',
      /1 x 2 x 3 bytes with 1 target\(s\), the other of 1 x 3 x 2/,
    ],
  ] as const)('%s', async (...[name, damage, code, why]) => {
    if (name !== 'no such files') writeIdx('train', 7);
    damage();
    await expect(open(directory)).rejects.toThrow(refused(code, why));
  });

  test('a label far beyond the others makes classes that nobody is in, and it is said', async () => {
    writeIdx('train', 7);
    expect((await open(directory)).describe).toMatch(/, 3 classes$/);
    write('train-labels-idx1-ubyte', idx([7], Uint8Array.of(0, 1, 2, 3, 4, 5, 200)));
    expect((await open(directory)).describe).toMatch(
      /, 201 classes, 194 of them without a sample: --classes N finds a label that is wrong$/,
    );
    await expect(open(directory, { classes: 10 })).rejects.toThrow(refused('BAD_DATA', /sample 6 .* has label 200/));
  });

  test('a label beyond the classes that were named', async () => {
    writeIdx('train', 7);
    await expect(open(directory, { classes: 2 })).rejects.toThrow(
      refused('BAD_DATA', /sample 2 \(counted from 0\) has label 2; 2 classes are 0 to 1/),
    );
    expect((await open(directory, { classes: 62 })).layout.target).toEqual({ kind: 'classes', classes: 62 });
  });
});

describe('a pair of .npy files', () => {
  const images = npy(
    [4, 2, 2],
    Uint8Array.from({ length: 16 }, (_, at) => at),
  );
  const labels = npy([4], BigInt64Array.of(0n, 1n, 2n, 1n));

  test.each([
    ['images.npy', 'labels.npy'],
    ['my-images-v2.npy', 'my-labels-v2.npy'],
    ['features.npy', 'targets.npy'],
    ['X.npy', 'y.npy'],
    ['small_x.npy', 'small_y.npy'],
  ])('%s with %s', async (features, targets) => {
    write(targets, labels);
    const { layout, train, test: tested } = await open(write(features, images));
    expect(layout).toMatchObject({ features: [1, 2, 2], featureType: 'uint8', target: { classes: 3 } });
    expect([train.samples, tested.samples]).toEqual([3, 1]);
  });

  test('with a test set', async () => {
    write('y_train.npy', labels);
    write('X_test.npy', npy([1, 2, 2], Uint8Array.of(9, 9, 9, 9)));
    write('y_test.npy', npy([1, 1], Int32Array.of(2)));
    const { train, test: tested } = await open(write('X_train.npy', images));
    expect([train.samples, tested.samples]).toEqual([4, 1]);
    expect(tested.read(0, 1)).toEqual({ features: Uint8Array.of(9, 9, 9, 9), targets: Uint16Array.of(2) });
  });

  test('of numbers with values as targets', async () => {
    write('y.npy', npy([3, 2], Float64Array.of(1, 2, 3, 4, 5, 6)));
    const set = await open(write('X.npy', npy([3, 2], Float64Array.of(0.5, 1, 1.5, 2, 2.5, 3))));
    expect(set.layout).toMatchObject({
      features: [2],
      featureType: 'float32',
      scale: 1,
      target: { kind: 'values', width: 2 },
    });
    expect(set.describe).toBe('2 samples to train and 1 to test with (held out): 2 float32, 2 value(s)');
    const { features, targets } = set.train.read(0, 1);
    expect([features, targets].map((array) => array.constructor)).toEqual([Float32Array, Float32Array]);
    expect(targets[0]).toBe(features[0]! * 2);
  });

  test('bytes that are only 0 and 1 are not scaled down', async () => {
    write('y.npy', npy([2], Int32Array.of(0, 1)));
    expect((await open(write('X.npy', npy([2, 2], Uint8Array.of(0, 1, 1, 0), '|b1')))).layout.scale).toBe(1);
  });

  test.each([
    ['NaN', [3, 2], Float32Array.of(1, 2, 3, Number.NaN, 5, 6), /sample 1, feature 1 \(both counted from 0\) is NaN/],
    ['beyond float32', [3, 2], Float64Array.of(1, 2, 3, 4, -1e39, 6), /sample 2, feature 0 .* is -1e\+39/],
    ['channels last', [3, 8, 8, 3], new Uint8Array(576), /channels last/],
    ['no features', [3], new Uint8Array(3), /its shape is \(3\)/],
    ['no samples', [0, 3], new Uint8Array(0), /its shape is \(0, 3\)/],
  ] as const)('%s', async (...[, shape, elements, why]) => {
    write('y.npy', npy([3], Int32Array.of(0, 1, 2)));
    await expect(open(write('X.npy', npy(shape, elements)))).rejects.toThrow(refused('BAD_DATA', why));
  });

  test.each([
    ['negative', npy([3], Int32Array.of(0, -1, 2)), 'classes', /sample 1 .* has label -1/],
    ['not whole', npy([3], Float32Array.of(0, 1, 1.5)), 'classes', /sample 2 .* has label 1.5/],
    ['too many classes', npy([3], Int32Array.of(0, 1, 65536)), 'classes', /sample 2 .* has label 65536; 65536 classes/],
    ['rows of labels', npy([3, 2], new Int32Array(6)), 'classes', /each sample has 2 targets/],
    ['infinite', npy([3], Float32Array.of(0, 1, Infinity)), 'values', /target 0 of sample 2 .* is Infinity/],
    ['three dimensions', npy([3, 1, 1], new Int32Array(3)), undefined, /\(3, 1, 1\)/],
    ['Python objects', npy([3], new Uint8Array(24), '|O'), undefined, /only Python can read/],
  ] as const)('targets: %s', async (...[, targets, kind, why]) => {
    write('y.npy', targets);
    const features = write('X.npy', npy([3, 1], Float32Array.of(1, 2, 3)));
    await expect(open(features, kind === undefined ? {} : { targets: kind })).rejects.toThrow(refused('BAD_DATA', why));
  });

  test('a name that does not say where the targets are', async () => {
    await expect(open(write('mix.npy', images))).rejects.toThrow(refused('USAGE', /images.npy and labels.npy/));
  });

  test('targets that are not there', async () => {
    await expect(open(write('X.npy', images))).rejects.toThrow(refused('BAD_DATA', /no such file/));
  });
});

describe('an .npz file', () => {
  const [x, y] = [npy([4, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)), npy([4], Int32Array.of(0, 1, 0, 1))];

  test('with a test set', async () => {
    const { train, test: tested } = await open(write('d.npz', npz({ x_train: x, y_train: y, x_test: x, y_test: y })));
    expect([train.samples, tested.samples]).toEqual([4, 4]);
    expect(train.read(3, 4)).toEqual({ features: Float32Array.of(7, 8), targets: Uint16Array.of(1) });
  });

  test('without one', async () => {
    const { train, test: tested } = await open(write('d.npz', npz({ X: x, y, other: Buffer.from('not looked at') })));
    expect([train.samples, tested.samples]).toEqual([3, 1]);
  });

  test.each([
    ['other names', npz({ a: x, b: y }), 'BAD_DATA', /it has a, b; known are x_train with y_train/],
    ['not a zip file', Buffer.from('hello'), 'BAD_DATA', /./],
    ['cut', npz({ X: x, y }).subarray(0, 200), 'BAD_DATA', /./],
    [
      'a bomb that says so',
      zip([
        { name: 'X.npy', bytes: x, declared: 2 ** 31 },
        { name: 'y.npy', bytes: y },
      ]),
      'TOO_LARGE',
      /unpack to 2147483\d+ bytes/,
    ],
    [
      'a bomb that lies',
      zip([
        { name: 'X.npy', bytes: new Uint8Array(2 ** 24), declared: 100 },
        { name: 'y.npy', bytes: y },
      ]),
      'BAD_DATA',
      /too many bytes/,
    ],
    [
      'a wrong check sum',
      zip([
        { name: 'X.npy', bytes: x, check: 1 },
        { name: 'y.npy', bytes: y },
      ]),
      'BAD_DATA',
      /check sum/,
    ],
    [
      'one array twice',
      zip([
        { name: 'X.npy', bytes: x },
        { name: 'X.npy', bytes: x },
      ]),
      'BAD_DATA',
      /two arrays 'X'/,
    ],
  ] as const)('%s', async (...[, bytes, code, why]) => {
    await expect(open(write('d.npz', bytes))).rejects.toThrow(refused(code, why));
  });

  (hasNumpy ? test : skipBecause('python3 has no NumPy'))('written by NumPy', async () => {
    const program = `
import numpy as np, sys
for name, save in ('a', np.savez), ('b', np.savez_compressed):
    save(sys.argv[1] + '/' + name + '.npz', x_train=np.arange(36, dtype='u1').reshape(3, 3, 2, 2), y_train=np.array([[0], [4], [2]]))`;
    python(program, directory);
    for (const name of ['a.npz', 'b.npz']) {
      const { layout, train } = await open(join(directory, name), { testShare: 0.3 });
      expect(layout).toMatchObject({ features: [3, 2, 2], target: { kind: 'classes', classes: 5 } });
      expect(train.samples).toBe(2);
    }
  });
});

describe('CSV', () => {
  test('bytes of pixels, labels named', async () => {
    const { layout, train } = await open(write('d.csv', 'label,p0,p1\n3,0,255\n1,7,9\n0,1,2\n'), { testShare: 0.4 });
    expect(layout).toMatchObject({ features: [2], featureType: 'uint8', scale: 1 / 255, target: { classes: 4 } });
    expect(train.samples).toBe(2);
  });

  test('numbers and values, packed', async () => {
    const { layout, train } = await open(write('d.csv.gz', gzipSync('1,2,0.5\n3,4,1\n5,6,1.5\n')));
    expect(layout).toMatchObject({ featureType: 'float32', scale: 1, target: { kind: 'values', width: 1 } });
    expect(train.samples).toBe(2);
  });

  test('whole targets are classes unless they are said to be values', async () => {
    const path = write('d.csv', '1,20\n2,40\n3,60\n');
    expect((await open(path)).layout.target).toEqual({ kind: 'classes', classes: 61 });
    expect((await open(path, { targets: 'values' })).layout.target).toEqual({ kind: 'values', width: 1 });
  });

  test('one sample is not enough', async () => {
    await expect(open(write('d.csv', '1,2\n'))).rejects.toThrow(refused('BAD_DATA', /it has one/));
  });
});

describe('a source', () => {
  test('synthetic digits', async () => {
    const { layout, train, test: tested } = await open('synthetic:200', { seed: 5 });
    expect([train.samples, tested.samples]).toEqual([180, 20]);
    expect(layout).toMatchObject({ features: [1, 28, 28], target: { classes: 10 }, samplesPerBlock: 1334 });
    const all = syntheticDigits({ samples: 200, seed: 5 });
    expect(Array.from(all.features.subarray(0, 784))).toEqual(Array.from(train.read(0, 1).features));
  });

  test.each([
    ['synthetic:', 'USAGE', /got ''/],
    ['synthetic:1', 'USAGE', /got '1'/],
    ['synthetic:1e3', 'USAGE', /got '1e3'/],
    ['mnist', 'USAGE', /no such directory or file/],
    [import.meta.filename, 'USAGE', /another ending/],
    ['no/such/X.npy', 'BAD_DATA', /no such file/],
    ['no/such.csv', 'BAD_DATA', /no such file/],
  ])('%s', async (source, code, why) => {
    await expect(open(source)).rejects.toThrow(refused(code, why));
  });

  test.each([0, 1, -1, Number.NaN])('a test share of %s', async (testShare) => {
    await expect(open('synthetic:10', { testShare })).rejects.toThrow(refused('USAGE', /got/));
  });
});

const mnist = process.env['MNIST_DIR'];
(mnist === undefined ? skipBecause('MNIST_DIR is not set') : test)('MNIST, from its files to a batch', async () => {
  const { layout, train, test: tested } = await open(mnist!);
  expect([train.samples, tested.samples]).toEqual([60_000, 10_000]);
  expect(layout).toMatchObject({ features: [1, 28, 28], scale: 1 / 255, target: { kind: 'classes', classes: 10 } });
  const first = viewBlock(
    layout,
    packBlock(layout, train.read(0, layout.samplesPerBlock), [0, layout.samplesPerBlock]),
  );
  const labels = readFileSync(
    join(
      mnist!,
      readdirSync(mnist!).find((file) => file.startsWith('train-labels'))!,
    ),
  );
  const expected = (labels[0] === 0x1f ? gunzipSync(labels) : labels).subarray(8, 8 + layout.samplesPerBlock);
  expect(Array.from(first.targets)).toEqual(Array.from(expected));
  const [X, Y] = [new Float32Array(2 * 784), new Float32Array(20)];
  gatherBatch(layout, { blockAt: () => first, indices: [0, 1] }, { X, Y });
  expect(Math.max(...X)).toBe(1);
  expect(Array.from(Y.keys()).filter((at) => Y[at] === 1)).toEqual([expected[0], 10 + expected[1]!]);
});
