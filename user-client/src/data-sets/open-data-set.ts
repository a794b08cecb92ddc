import { DIGIT_SIDE, MusterError, syntheticDigits } from '@muster/shared';
import { statSync } from 'node:fs';
import { fileError } from '../file-error.ts';
import { readCsvFile } from './csv-file.ts';
import type { DataSet, DataSetOptions } from './data-set.ts';
import { readIdxDirectory } from './idx-directory.ts';
import { dataSetOf } from './memory-data-set.ts';
import { readNpyPair } from './npy-pair.ts';
import { readNpz } from './npz-file.ts';
import type { RawDataSet } from './raw-samples.ts';

const SYNTHETIC = 'synthetic';
const SYNTHETIC_SAMPLES = 12_000;
const SYNTHETIC_MAX = 1_000_000;

const READERS: Readonly<Record<string, (path: string) => Promise<RawDataSet>>> = {
  npy: readNpyPair,
  npz: readNpz,
  csv: readCsvFile,
};

/**
 * Opens a source listed in docs/data-sets.md: a directory with the IDX files of MNIST, a `.npy` file with its targets beside it, an
 * `.npz` or `.csv` file, or `synthetic[:SAMPLES]`. Everything is read and validated. Throws BAD_DATA for unusable contents, TOO_LARGE
 * beyond a limit, and USAGE for any other source.
 */
export async function openDataSet(source: string, options: DataSetOptions): Promise<DataSet> {
  return dataSetOf(await readSource(source, options), options);
}

async function readSource(source: string, { seed }: DataSetOptions): Promise<RawDataSet> {
  if (source === SYNTHETIC || source.startsWith(`${SYNTHETIC}:`)) return synthetic(source, seed);
  const [, ending = ''] = /\.(npy|npz|csv)(?:\.gz)?$/i.exec(source) ?? [];
  const reader = READERS[ending.toLowerCase()];
  if (isDirectory(source, reader !== undefined)) return readIdxDirectory(source);
  if (reader === undefined) throw unknown(source, 'it is a file with another ending');
  return reader(source);
}

/** Throws if nothing exists there; with the system's reason if the path has the name of a data file (`named`). */
function isDirectory(source: string, named: boolean): boolean {
  try {
    return statSync(source).isDirectory();
  } catch (error) {
    if (named) throw fileError(error, `${source} cannot be read`);
    throw unknown(source, 'there is no such directory or file');
  }
}

function synthetic(source: string, seed: number): RawDataSet {
  const samples = syntheticSamples(source);
  const { features, labels: targets } = syntheticDigits({ samples, seed });
  const shape = [1, DIGIT_SIDE, DIGIT_SIDE];
  return { train: { name: source, samples, shape, features, targets, targetWidth: 1, wholeTargets: true } };
}

function syntheticSamples(source: string): number {
  const given = source.slice(SYNTHETIC.length + 1);
  const samples = source === SYNTHETIC ? SYNTHETIC_SAMPLES : Number(given);
  if (/^\d*$/.test(given) && samples >= 2 && samples <= SYNTHETIC_MAX) return samples;
  throw new MusterError('USAGE', `${SYNTHETIC} takes a whole number of samples from 2 to ${SYNTHETIC_MAX}`, {
    why: `got '${given}'`,
    fix: `${SYNTHETIC}:${SYNTHETIC_SAMPLES}`,
  });
}

const unknown = (source: string, why: string): MusterError =>
  new MusterError('USAGE', `${source} is not a data set`, {
    why,
    fix: `give a directory with IDX files (train-images-idx3-ubyte...), a .npy, .npz or .csv file (docs/data-sets.md), or ${SYNTHETIC}:${SYNTHETIC_SAMPLES}`,
  });
