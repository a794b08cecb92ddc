import type { Model } from '../model/description.ts';
import { dropouts, type Dropout } from '../model/dropout-shapes.ts';
import { outputCount } from '../model/parse-model.ts';
import { elementCount } from '../model/place-layers.ts';
import type { BlockView } from '../samples/block.ts';
import { gatherBatch } from '../samples/gather.ts';
import type { SampleLayout } from '../samples/layout.ts';
import { fillMask } from './dropout-mask.ts';
import type { GraphTensor } from './graph-runner.ts';

/** Samples by number, and where their blocks are. */
export interface BatchSource {
  readonly indices: Uint32Array;
  readonly blockAt: (number: number) => BlockView;
}

/** What the inputs of a step are named, ready for a runner. */
export type BatchInputs = Record<string, GraphTensor>;

/** Memory for the batches of a model, used again for each: as large as the largest so far. */
export class BatchBuffers {
  readonly #model: Model;
  readonly #layout: SampleLayout;
  readonly #dropouts: readonly Dropout[];
  readonly #buffers = new Map<string, Float32Array>();

  constructor(model: Model, layout: SampleLayout) {
    this.#model = model;
    this.#layout = layout;
    this.#dropouts = dropouts(model);
  }

  /** `X` and `Y`; they hold until the next call. */
  samples({ indices, blockAt }: BatchSource): BatchInputs {
    const X = this.#tensor('X', indices.length, this.#model.input);
    const Y = this.#tensor('Y', indices.length, [outputCount(this.#model)]);
    gatherBatch(this.#layout, { blockAt, indices }, { X: X.elements, Y: Y.elements });
    return { X, Y };
  }

  /** `mask:0`, `mask:1`, ... of this step; they hold until the next call. */
  masks(key: { readonly seed: number; readonly step: number }, indices: Uint32Array): BatchInputs {
    const inputs: BatchInputs = {};
    for (const [layer, { shape, rate }] of this.#dropouts.entries()) {
      const mask = this.#tensor(`mask:${layer}`, indices.length, shape);
      fillMask({ ...key, layer, rate }, indices, mask.elements);
      inputs[`mask:${layer}`] = mask;
    }
    return inputs;
  }

  #tensor(name: string, samples: number, shape: readonly number[]): GraphTensor {
    const length = samples * elementCount(shape);
    let buffer = this.#buffers.get(name);
    if (buffer === undefined || buffer.length < length) this.#buffers.set(name, (buffer = new Float32Array(length)));
    return { elements: buffer.subarray(0, length), dims: [samples, ...shape] };
  }
}
