import type { Compression } from './compression.ts';
import { decodeGradient, encodeGradient } from './gradient-codec.ts';

/**
 * What a lossy codec left out of one gradient is added to the next one (Seide et al. 2014; Karimireddy et al. 2019).
 * Lives on the node, for as long as the node keeps its place in the training.
 */
export class ErrorFeedback {
  readonly #codec: Compression;
  readonly #residual: Float32Array;
  readonly #wanted: Float32Array;
  #carried = 0;

  constructor(codec: Compression, parameters: number) {
    this.#codec = codec;
    this.#residual = new Float32Array(parameters);
    this.#wanted = new Float32Array(parameters);
  }

  /** Gradients that were encoded since there was no residual: what they left out is in it. */
  get carried(): number {
    return this.#carried;
  }

  /** Encodes gradient + residual and keeps the difference; `gradient` stays as it is. @throws as `encodeGradient`, with the residual kept. */
  encode(gradient: Float32Array): Uint8Array {
    const [residual, wanted] = [this.#residual, this.#wanted];
    for (let i = 0; i < wanted.length; i += 1) wanted[i] = gradient[i]! + residual[i]!;
    const bytes = encodeGradient(this.#codec, wanted);
    decodeGradient(this.#codec, bytes, { out: residual });
    for (let i = 0; i < wanted.length; i += 1) residual[i] = wanted[i]! - residual[i]!;
    this.#carried += 1;
    return this.#codec === 'none' ? bytes.slice() : bytes;
  }

  /** After reassignment: what is left belongs to weights that this node no longer follows. */
  drop(): void {
    this.#residual.fill(0);
    this.#carried = 0;
  }
}
