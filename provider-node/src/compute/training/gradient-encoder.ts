import { randomInt } from 'node:crypto';
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
  /** NaN when the vector is not finite and the codec cannot represent that; the head then ends the run. */
  readonly loss: number;
  /** Number of this gradient; 0 where no residual is kept for it. */
  readonly number: number;
  /** Number of the gradient whose residual is part of the payload; 0 for none. */
  readonly after: number;
  readonly payload: Uint8Array;
}

export interface Sums {
  readonly loss: number;
  readonly vector: Float32Array;
}

/** Tasks whose residuals are kept at once; each takes the memory of three gradients. The least recently used residual is lost. */
const RESIDUALS_MAX = 64;
const RESIDUAL_BYTES_MAX = 2 ** 31;

const KEEPS_NOTHING = { number: 0, after: 0 };

/** Encodes vectors for transfer. What a lossy codec leaves out of one is added to the next of the same task. */
export class GradientEncoder {
  /** By task and model. */
  readonly #feedbacks = new LRUCache<string, ErrorFeedback>({
    max: RESIDUALS_MAX,
    maxSize: RESIDUAL_BYTES_MAX,
  });

  /** May overwrite `vector`. */
  encode(task: TaskId, work: TrainWork, { loss, vector }: Sums): EncodedSums {
    const { compression, keepsResidual } = work;
    try {
      if (!keepsResidual) return { loss, ...KEEPS_NOTHING, payload: encodeGradient(compression, vector) };
      const feedback = this.#feedbackOf(`${task} ${work.model}`, compression, vector.length);
      feedback.begin(work);
      const { latest: after } = feedback;
      const payload = feedback.encode(vector);
      return { loss, number: feedback.latest, after, payload };
    } catch (error) {
      if (!isMusterError(error) || error.code !== 'BAD_DATA') throw error;
      return { loss: Number.NaN, ...KEEPS_NOTHING, payload: encodeGradient(compression, vector.fill(0)) };
    }
  }

  /** Numbering starts at random, so that the head does not mistake gradients of a restarted node for earlier ones. */
  #feedbackOf(owner: string, codec: Compression, parameters: number): ErrorFeedback {
    const known = this.#feedbacks.get(owner);
    if (known) return known;
    const feedback = new ErrorFeedback(codec, parameters, randomInt(2 ** 32));
    this.#feedbacks.set(owner, feedback, { size: Math.min(RESIDUAL_BYTES_MAX, 12 * parameters) });
    return feedback;
  }
}
