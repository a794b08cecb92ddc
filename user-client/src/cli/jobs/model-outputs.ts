import { exportModel, MusterError, type TrainingReport } from '@muster/shared';
import { createHash } from 'node:crypto';
import { PartFile } from '../../results/part-file.ts';
import { weightsFile, type CheckpointFile } from '../../training/checkpoint-file.ts';

export interface OutputPaths {
  readonly out: string | undefined;
  readonly onnx: string | undefined;
}

/**
 * The files that a trained model is written to. They are created before the run, so that a missing folder is reported at once and not an
 * hour later.
 */
export class ModelOutputs {
  readonly out: string | undefined;
  readonly onnx: string | undefined;
  readonly #files: { readonly out: PartFile | null; readonly onnx: PartFile | null };

  /** Throws BAD_DATA for a path that cannot be written. */
  constructor({ out, onnx }: OutputPaths) {
    this.out = out;
    this.onnx = onnx;
    const weights = partFile(out);
    try {
      this.#files = { out: weights, onnx: partFile(onnx) };
    } catch (error) {
      weights?.discard();
      throw error;
    }
  }

  get wanted(): boolean {
    return this.out !== undefined || this.onnx !== undefined;
  }

  /** Throws RESULT_LOST when the checkpoint does not have the weights that the run ended with. */
  write(file: CheckpointFile, report: TrainingReport | null): void {
    const weightsSha256 = sha256Of(file.checkpoint.weights);
    if (report !== null && report.weightsSha256 !== '' && report.weightsSha256 !== weightsSha256)
      throw otherWeights(weightsSha256, report);
    if (this.#files.out !== null) writeAll(this.#files.out, weightsFile(file, factsOf(report, weightsSha256)));
    if (this.#files.onnx !== null) writeAll(this.#files.onnx, [exportModel(file.model, file.checkpoint.weights)]);
  }

  close(): void {
    this.#files.out?.discard();
    this.#files.onnx?.discard();
  }
}

const partFile = (path: string | undefined): PartFile | null => (path === undefined ? null : new PartFile(path, 0));

function writeAll(file: PartFile, pieces: readonly Uint8Array[]): void {
  let position = 0;
  for (const piece of pieces) {
    file.write(piece, position);
    position += piece.length;
  }
  file.complete();
}

/** Digest of the float32 values, little-endian, in the order of the model's parameters. */
const sha256Of = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');

function factsOf(report: TrainingReport | null, weightsSha256: string): Record<string, string> {
  const { steps, epochs, testAccuracy, loss } = report ?? {};
  const facts = { steps, epochs, loss, testAccuracy, weightsSha256 };
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

const otherWeights = (seen: string, { weightsSha256 }: TrainingReport): MusterError =>
  new MusterError('RESULT_LOST', 'the weights on the head are not those that the run ended with', {
    why: `their SHA-256 is ${seen}, the run reported ${weightsSha256}`,
    fix: 'train again; on the head, look at its disk',
  });
