import { isMusterError, limits, MusterError, parseNpyArray } from '@muster/shared';
import { crc32 } from 'node:zlib';
import { fromBufferPromise, type Entry, type ZipFile } from 'yauzl';
import { pairArrays, type NamedArray } from './raw-arrays.ts';
import type { RawDataSet } from './raw-samples.ts';
import { readDataFile, tooLarge } from './read-data-file.ts';

/** Array names: features and targets to train with, then those to test with. The first pair found counts. */
const NAMES = [
  ['x_train', 'y_train', 'x_test', 'y_test'],
  ['X_train', 'y_train', 'X_test', 'y_test'],
  ['train_images', 'train_labels', 'test_images', 'test_labels'],
  ['X', 'y', 'X_test', 'y_test'],
  ['x', 'y', 'x_test', 'y_test'],
  ['images', 'labels', 'test_images', 'test_labels'],
] as const;
const ENTRIES_MAX = 1000;

/** A file written by `np.savez` or `np.savez_compressed`. Other arrays in it are ignored. */
export async function readNpz(path: string): Promise<RawDataSet> {
  const packed = await readDataFile(path);
  try {
    const zip = await fromBufferPromise(Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength));
    return await readArrays(zip, await entriesOf(zip, path), path);
  } catch (error) {
    if (isMusterError(error)) throw error;
    throw damaged(path, error instanceof Error ? error.message : String(error));
  }
}

/** Entries by array name. */
async function entriesOf(zip: ZipFile, path: string): Promise<ReadonlyMap<string, Entry>> {
  if (zip.entryCount > ENTRIES_MAX)
    throw damaged(path, `it has ${zip.entryCount} entries; ${ENTRIES_MAX} are the most`);
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName.replace(/\.npy$/, '');
    if (entries.has(name)) throw damaged(path, `it has two arrays '${name}'`);
    entries.set(name, entry);
  }
  return entries;
}

async function readArrays(zip: ZipFile, entries: ReadonlyMap<string, Entry>, path: string): Promise<RawDataSet> {
  const names = NAMES.find(([features, targets]) => entries.has(features) && entries.has(targets));
  if (names === undefined) throw unknownNames(path, [...entries.keys()]);
  const wanted = entries.has(names[2]) && entries.has(names[3]) ? names : names.slice(0, 2);
  // Checked before anything is unpacked; yauzl refuses an entry that unpacks to more than it declares.
  const declared = wanted.reduce((sum, name) => sum + (entries.get(name)?.uncompressedSize ?? 0), 0);
  if (declared > limits.dataSetBytesMax.value) throw tooLarge(path, `its arrays unpack to ${declared} bytes`);
  const arrays: NamedArray[] = [];
  for (const name of wanted) arrays.push(await readArray(zip, entries.get(name) as Entry, `${path}[${name}]`));
  const [trainX, trainY, testX, testY] = arrays as [NamedArray, NamedArray, NamedArray?, NamedArray?];
  const train = pairArrays(trainX, trainY);
  return testX === undefined || testY === undefined ? { train } : { train, test: pairArrays(testX, testY) };
}

async function readArray(zip: ZipFile, entry: Entry, name: string): Promise<NamedArray> {
  const bytes = new Uint8Array(entry.uncompressedSize);
  let at = 0;
  for await (const piece of await zip.openReadStreamPromise(entry)) {
    bytes.set(piece as Buffer, at);
    at += (piece as Buffer).length;
  }
  if (at !== bytes.length || crc32(bytes) !== entry.crc32) throw damaged(name, 'its check sum is wrong');
  return { ...parseNpyArray(bytes, name), name };
}

function unknownNames(path: string, found: readonly string[]): MusterError {
  return new MusterError('BAD_DATA', `${path} does not say which of its arrays are features and targets`, {
    why: `it has ${found.slice(0, 10).join(', ') || 'none'}; known are ${NAMES.map(([x, y]) => `${x} with ${y}`).join(', ')}`,
    fix: `np.savez_compressed('${path}', x_train=..., y_train=..., x_test=..., y_test=...)`,
  });
}

const damaged = (path: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is not a whole .npz file`, {
    why,
    fix: 'write or copy the file again: np.savez_compressed',
  });
