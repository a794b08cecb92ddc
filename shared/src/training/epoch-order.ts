import { seededRandom } from '../random.ts';
import { hashWords } from './hash-words.ts';

/**
 * The order of one epoch's samples: a permutation that depends on seed, epoch and number of samples only, so that a node that joins, or a
 * head that restarts, uses the same order as the others.
 */
export class EpochOrder {
  /** Sample numbers in the order of use. */
  readonly order: Uint32Array;

  /** `epoch` from 0; `samples` below 2^32. */
  constructor(seed: number, epoch: number, samples: number) {
    this.order = Uint32Array.from({ length: samples }, (_, index) => index);
    shuffle(this.order, hashWords(seed, epoch));
  }

  /** Steps of the epoch; the last one takes the samples that are left. */
  steps(batch: number): number {
    return Math.ceil(this.order.length / batch);
  }

  /** The samples of step `step` (from 0) of the epoch, a view. */
  samplesOf(step: number, batch: number): Uint32Array {
    return this.order.subarray(step * batch, (step + 1) * batch);
  }
}

/**
 * Fisher-Yates shuffle. A fraction of 32 bits times a whole number below 2^21 is exact in a double, and above that rounded once: the same
 * on every machine.
 */
function shuffle(order: Uint32Array, seed: number): void {
  const random = seededRandom(seed);
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const sample = order[last]!;
    order[last] = order[other]!;
    order[other] = sample;
  }
}
