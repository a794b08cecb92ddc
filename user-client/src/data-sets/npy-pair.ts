import { MusterError, parseNpyArray } from '@muster/shared';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pairArrays, type NamedArray } from './raw-arrays.ts';
import type { RawDataSet, RawSamples } from './raw-samples.ts';
import { readDataFile } from './read-data-file.ts';

/** What in the name of a file of features is replaced by what in the name of its targets. The first that is there counts. */
const NAMES = [
  [/images/, 'labels'],
  [/features/, 'targets'],
  [/(?<![A-Za-z])[Xx](?![A-Za-z])/, 'y'],
] as const;

/**
 * `images.npy` with `labels.npy` beside it, `features.npy` with `targets.npy`, or `X.npy` with `y.npy`; more may stand around that
 * part of the name. A name with `train` in it has its test set in the files with `test` in its place, if they are there.
 */
export async function readNpyPair(path: string): Promise<RawDataSet> {
  const train = await readPair(path, targetsBeside(path));
  const testPath = join(dirname(path), basename(path).replace('train', 'test'));
  if (testPath === path || !existsSync(testPath)) return { train };
  return { train, test: await readPair(testPath, targetsBeside(testPath)) };
}

const readPair = async (features: string, targets: string): Promise<RawSamples> =>
  pairArrays(await readNpy(features), await readNpy(targets));

async function readNpy(path: string): Promise<NamedArray> {
  return { ...parseNpyArray(await readDataFile(path), path), name: path };
}

function targetsBeside(path: string): string {
  const name = basename(path);
  const rule = NAMES.find(([part]) => part.test(name));
  if (rule !== undefined) return join(dirname(path), name.replace(rule[0], rule[1]));
  throw new MusterError('USAGE', `${path} does not say where its targets are`, {
    why: 'the file with the targets is found by the name: images.npy and labels.npy, features.npy and targets.npy, or X.npy and y.npy',
    fix: `mv '${path}' '${join(dirname(path), 'X.npy')}', with the targets as y.npy beside it`,
  });
}
