import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { MusterError, type Checkpoint, type TrainedOn, type TrainSpec } from '@muster/shared';

/** Identifies the samples by the names of their block files, which are hashes of the content. */
export function trainedOn({ trainSamples: samples }: TrainSpec, trainPaths: readonly string[]): TrainedOn {
  const names = trainPaths.map((path) => basename(path)).join(' ');
  return { samples, digest: createHash('sha256').update(names).digest('hex').slice(0, 32) };
}

/** Throws CHECKPOINT_MISMATCH: the data cursor is only valid for the samples it was taken over. */
export function checkData(data: TrainedOn, checkpoint: Checkpoint | null): void {
  const before = checkpoint?.data ?? null;
  if (before === null || before.digest === data.digest) return;
  const was = `it was made with ${before.samples} samples (${before.digest.slice(0, 8)})`;
  throw new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint is of a run with other samples', {
    why: `${was}, there are ${data.samples} (${data.digest.slice(0, 8)})`,
    fix: 'go on with the samples of that run, held out by the same seed; or begin anew, without a checkpoint',
  });
}
