import { MusterError, parseIdx } from '@muster/shared';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileError } from '../file-error.ts';
import { pairArrays, type NamedArray } from './raw-arrays.ts';
import type { RawDataSet, RawSamples } from './raw-samples.ts';
import { readDataFile } from './read-data-file.ts';

/** A directory with the files of MNIST under their usual names, with `-` or `.` before `idx`, plain or `.gz`. */
export async function readIdxDirectory(directory: string): Promise<RawDataSet> {
  const files = namesIn(directory);
  const train = await readPart(directory, files, 'train');
  if (train === undefined) {
    throw new MusterError('BAD_DATA', `${directory} has no training set`, {
      why: `train-images-idx3-ubyte or train-labels-idx1-ubyte (or with .gz) is not among its ${files.length} entries`,
      fix: 'give the directory with the IDX files, or the path of a .npy, .npz or .csv file',
    });
  }
  const test = await readPart(directory, files, 't10k');
  return test === undefined ? { train } : { train, test };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    throw fileError(error, `${directory} cannot be read`);
  }
}

/** Undefined if neither file exists. Throws BAD_DATA if only one does. */
async function readPart(
  directory: string,
  files: readonly string[],
  part: 'train' | 't10k',
): Promise<RawSamples | undefined> {
  const images = files.find((file) => new RegExp(`^${part}-images[-.]idx3-ubyte(\\.gz)?$`).test(file));
  const labels = files.find((file) => new RegExp(`^${part}-labels[-.]idx1-ubyte(\\.gz)?$`).test(file));
  if (images === undefined && labels === undefined) return undefined;
  if (images === undefined || labels === undefined) throw halfAPart(directory, images ?? labels ?? '');
  return pairArrays(await readIdx(join(directory, images)), await readIdx(join(directory, labels)));
}

async function readIdx(path: string): Promise<NamedArray> {
  return { ...parseIdx(await readDataFile(path), path), whole: true, name: path };
}

const halfAPart = (directory: string, file: string): MusterError =>
  new MusterError('BAD_DATA', `${directory} has images without labels, or labels without images`, {
    why: `there is ${file}, and not the file that belongs to it`,
    fix: 'add it, or remove this one',
  });
