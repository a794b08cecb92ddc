import type { Compression } from './compression.ts';
import { decodeGradient, encodeGradient } from './gradient-codec.ts';

/** Numbers of gradients are uint32 and wrap around before this. */
const NUMBER_END = 2 ** 32;

export interface StepBegun {
  readonly step: number;
  readonly taken: number | null;
}

/**
 * What a lossy codec left out of one gradient is added to the next one (Seide et al. 2014; Karimireddy et al. 2019). Lives on the node, as
 * long as the node keeps its place in the training.
 */
export class ErrorFeedback {
  readonly #codec: Compression;
  readonly #wanted: Float32Array;
  #residual: Float32Array;
  /** Residual before the latest gradient. */
  #before: Float32Array;
  #latest = 0;
  #latestBefore = 0;
  #number: number;
  #step = -1;

  /** The first gradient gets the number after `number`; no number is used twice. */
  constructor(codec: Compression, parameters: number, number = 0) {
    this.#codec = codec;
    this.#residual = new Float32Array(parameters);
    this.#before = new Float32Array(parameters);
    this.#wanted = new Float32Array(parameters);
    this.#number = number;
  }

  /** Number of the gradient that left the residual; 0 if there is no residual. */
  get latest(): number {
    return this.#latest;
  }

  /**
   * Encodes gradient + residual and keeps the difference; `gradient` is not changed.
   * @throws as `encodeGradient`, with the residual unchanged.
   */
  encode(gradient: Float32Array): Uint8Array {
    const [residual, wanted, next] = [this.#residual, this.#wanted, this.#before];
    for (let i = 0; i < wanted.length; i += 1) wanted[i] = gradient[i]! + residual[i]!;
    const bytes = encodeGradient(this.#codec, wanted);
    decodeGradient(this.#codec, bytes, { out: next });
    for (let i = 0; i < wanted.length; i += 1) next[i] = wanted[i]! - next[i]!;
    [this.#before, this.#residual] = [residual, next];
    this.#number = (this.#number + 1) % NUMBER_END || 1;
    [this.#latestBefore, this.#latest] = [this.#latest, this.#number];
    return this.#codec === 'none' ? bytes.slice() : bytes;
  }

  /**
   * To be called before a gradient is encoded. `taken` is the number of this node's latest gradient that the head received in time before
   * this step; 0: none; null: unknown. If one gradient was encoded after it, that one was lost or late, and the residual from before it is
   * restored. Only one can be taken back: otherwise the residual is dropped. A second gradient of a step follows the first, whether that
   * one counts or not, unless `taken` is 0: then nobody could verify the second.
   */
  begin({ step, taken }: StepBegun): void {
    if (taken !== null && (taken === 0 || step !== this.#step)) this.#goBackTo(taken);
    this.#step = step;
  }

  /** Forgets the residual after a reassignment: it belongs to weights that this node no longer follows. */
  drop(): void {
    this.#residual.fill(0);
    this.#latest = 0;
    this.#latestBefore = 0;
  }

  #goBackTo(taken: number): void {
    if (taken === this.#latest) return;
    if (taken === 0 || taken !== this.#latestBefore) return this.drop();
    [this.#before, this.#residual] = [this.#residual, this.#before];
    [this.#latestBefore, this.#latest] = [0, taken];
  }
}
