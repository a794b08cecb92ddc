import { momentNames, MusterError, type TrainingOptions, type TrainSpec } from '@muster/shared';
import type { CheckpointFile } from './checkpoint-file.ts';

/**
 * Checks that a run can go on from this checkpoint. Whether the samples are the same only the head can tell, once it has them.
 * @throws USAGE for options that contradict it, CHECKPOINT_MISMATCH for another number of samples
 */
export function checkResumed({ checkpoint }: CheckpointFile, { options, trainSamples }: TrainSpec): void {
  const { epoch, step, data } = checkpoint;
  const before = checkpoint.options;
  if (epoch >= options.epochs) {
    throw new MusterError('USAGE', 'the checkpoint is at the end of its run', {
      why: `it is at epoch ${epoch} (step ${step}), and the run shall have ${options.epochs}`,
      fix: `--epochs ${epoch + 5}`,
    });
  }
  if (options.seed !== before.seed) {
    throw new MusterError('USAGE', 'a run that goes on keeps its seed', {
      why: `the checkpoint has ${before.seed}; ${options.seed} would train with samples that were held out to test with, in another order`,
      fix: 'leave --seed out',
    });
  }
  if (String(momentNames(options)) !== String(momentNames(before))) {
    throw new MusterError('USAGE', 'the checkpoint has nothing that this optimizer remembers', {
      why: `it was made with ${kindOf(before)}, the run shall have ${kindOf(options)}`,
      fix: 'leave --optimizer and --local-steps out',
    });
  }
  if (data === null || data.samples === trainSamples) return;
  throw new MusterError('CHECKPOINT_MISMATCH', 'the checkpoint is of a run with other samples', {
    why: `it was made with ${data.samples}, there are ${trainSamples} to train with`,
    fix: 'give the --data of that run, or begin anew without --resume',
  });
}

const kindOf = ({ optimizer, localSteps }: TrainingOptions): string =>
  `--optimizer ${optimizer} and --local-steps ${localSteps}`;
