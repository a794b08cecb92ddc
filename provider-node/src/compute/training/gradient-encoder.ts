import { LRUCache } from 'lru-cache';
import {
  encodeGradient,
  ErrorFeedback,
  isMusterError,
  type Compression,
  type TaskId,
  type TrainWork,
} from '@muster/shared';

export interface EncodedSums {
  /** Not a number where the vector is not finite and the codec cannot say so: the head ends the run by it. */
  readonly loss: number;
  /** Gradients before it whose leftovers are in the payload. */
  readonly carried: number;
  readonly payload: Uint8Array;
}

export interface Sums {
  readonly loss: number;
  readonly vector: Float32Array;
}

/** Of tasks that take turns on a node; each takes the memory of a gradient. */
const RESIDUALS_MAX = 4;

/** Vectors as they travel. What a lossy codec leaves out of one goes into the next of the same task. */
export class GradientEncoder {
  /** By task and model. */
  readonly #feedbacks = new LRUCache<string, ErrorFeedback>({ max: RESIDUALS_MAX });

  /** May write to the vector. */
  encode(task: TaskId, { model, compression: codec, keepsResidual }: TrainWork, { loss, vector }: Sums): EncodedSums {
    try {
      if (!keepsResidual) return { loss, carried: 0, payload: encodeGradient(codec, vector) };
      const feedback = this.#feedbackOf(`${task} ${model}`, codec, vector.length);
      const { carried } = feedback;
      return { loss, carried, payload: feedback.encode(vector) };
    } catch (error) {
      if (!isMusterError(error) || error.code !== 'BAD_DATA') throw error;
      return { loss: Number.NaN, carried: 0, payload: encodeGradient(codec, vector.fill(0)) };
    }
  }

  #feedbackOf(owner: string, codec: Compression, parameters: number): ErrorFeedback {
    const known = this.#feedbacks.get(owner);
    if (known) return known;
    const feedback = new ErrorFeedback(codec, parameters);
    this.#feedbacks.set(owner, feedback);
    return feedback;
  }
}
