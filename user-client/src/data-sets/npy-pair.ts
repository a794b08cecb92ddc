import { MusterError, parseNpyArray } from '@muster/shared';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pairArrays, type NamedArray } from './raw-arrays.ts';
import type { RawDataSet, RawSamples } from './raw-samples.ts';
import { readDataFile } from './read-data-file.ts';

/** Part of the name of a feature file, and what replaces it in the name of the target file. The first match counts. */
const NAMES = [
  [/images/, 'labels'],
  [/features/, 'targets'],
  [/(?<![A-Za-z])[Xx](?![A-Za-z])/, 'y'],
] as const;

/**
 * `images.npy` with `labels.npy` beside it, `features.npy` with `targets.npy`, or `X.npy` with `y.npy`; other text may surround that part
 * of the name. If a name contains `train`, its test set is in the files with `test` instead, if they exist.
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
