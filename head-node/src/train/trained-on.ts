import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { MusterError, type Checkpoint, type TrainedOn, type TrainSpec } from '@muster/shared';

/** Files of blocks have the hash of their content as their name. */
export function trainedOn({ trainSamples: samples }: TrainSpec, trainPaths: readonly string[]): TrainedOn {
  const names = trainPaths.map((path) => basename(path)).join(' ');
  return { samples, digest: createHash('sha256').update(names).digest('hex').slice(0, 32) };
}

/** Throws CHECKPOINT_MISMATCH: a place in the order of some samples is none in that of others. */
export function checkData(data: TrainedOn, checkpoint: Checkpoint | null): void {
  const before = checkpoint?.data ?? null;
  if (before === null || before.digest === data.digest) return;
  const was = `it was made with ${before.samples} samples (${before.digest.slice(0, 8)})`;
  throw new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint is of a run with other samples', {
    why: `${was}, there are ${data.samples} (${data.digest.slice(0, 8)})`,
    fix: 'go on with the samples of that run, held out by the same seed; or begin anew, without a checkpoint',
  });
}
