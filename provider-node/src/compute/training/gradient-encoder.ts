import {
  encodeGradient,
  ErrorFeedback,
  isMusterError,
  type BlockId,
  type Compression,
  type TaskId,
  type TrainWork,
} from '@muster/shared';

export interface EncodedSums {
  /** Not a number where the vector is not finite and the codec cannot say so: the head ends the run by it. */
  readonly loss: number;
  readonly payload: Uint8Array;
}

export interface Sums {
  readonly loss: number;
  readonly vector: Float32Array;
}

/** Whose residual it is. */
interface Owner {
  readonly task: TaskId;
  readonly model: BlockId;
}

/** Vectors as they travel. What a lossy codec leaves out of one goes into the next of the same task. */
export class GradientEncoder {
  #owner: Owner | null = null;
  #feedback: ErrorFeedback | null = null;

  /** May write to the vector. */
  encode(task: TaskId, { model, compression: codec, keepsResidual }: TrainWork, { loss, vector }: Sums): EncodedSums {
    try {
      if (!keepsResidual) return { loss, payload: encodeGradient(codec, vector) };
      return { loss, payload: this.#feedbackOf({ task, model }, codec, vector.length).encode(vector) };
    } catch (error) {
      if (!isMusterError(error) || error.code !== 'BAD_DATA') throw error;
      return { loss: Number.NaN, payload: encodeGradient(codec, vector.fill(0)) };
    }
  }

  #feedbackOf({ task, model }: Owner, codec: Compression, parameters: number): ErrorFeedback {
    if (this.#feedback && this.#owner?.task === task && this.#owner.model === model) return this.#feedback;
    this.#owner = { task, model };
    this.#feedback = new ErrorFeedback(codec, parameters);
    return this.#feedback;
  }
}
