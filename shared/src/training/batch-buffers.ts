import type { Model } from '../model/description.ts';
import { dropouts, type Dropout } from '../model/dropout-shapes.ts';
import { outputCount } from '../model/parse-model.ts';
import { elementCount } from '../tensor/shape.ts';
import type { BlockView } from '../samples/block.ts';
import { gatherBatch } from '../samples/gather.ts';
import type { SampleLayout } from '../samples/layout.ts';
import { fillMask } from './dropout-mask.ts';
import type { GraphTensor } from './graph-runner.ts';

/** Where samples come from. */
export interface SampleSource {
  /** Name of the set behind `blockAt`: samples gathered from one set must not serve another, which has the same sample numbers. */
  readonly set: string;
  readonly blockAt: (number: number) => BlockView;
}

/** Samples by number, and where they come from. */
export interface BatchSource extends SampleSource {
  readonly indices: Uint32Array;
}

/** Inputs of a step by name, ready for a runner. */
export type BatchInputs = Record<string, GraphTensor>;

/** Reusable memory for the batches of a model, as large as the largest so far. */
export class BatchBuffers {
  readonly #model: Model;
  readonly #layout: SampleLayout;
  readonly #dropouts: readonly Dropout[];
  readonly #buffers = new Map<string, Float32Array>();
  /** Sample numbers that `X` and `Y` hold; a view of an epoch's order. */
  #gathered: Uint32Array = NOTHING;
  /** Set that they were gathered from. */
  #set = '';

  constructor(model: Model, layout: SampleLayout) {
    this.#model = model;
    this.#layout = layout;
    this.#dropouts = dropouts(model);
  }

  /** `X` and `Y`, valid until the next call. Samples that were gathered ahead are reused. */
  samples(source: BatchSource): BatchInputs {
    const { indices, set } = source;
    if (set !== this.#set || !isWithin(indices, this.#gathered)) this.gather(source);
    const first = (indices.byteOffset - this.#gathered.byteOffset) / indices.BYTES_PER_ELEMENT;
    return {
      X: this.#tensor('X', this.#model.input, { first, samples: indices.length }),
      Y: this.#tensor('Y', [outputCount(this.#model)], { first, samples: indices.length }),
    };
  }

  /** Fills `X` and `Y` ahead; `samples` may use a part of them. */
  gather(source: BatchSource): void {
    const rows = { first: 0, samples: source.indices.length };
    const X = this.#tensor('X', this.#model.input, rows).elements;
    const Y = this.#tensor('Y', [outputCount(this.#model)], rows).elements;
    this.#gathered = NOTHING;
    gatherBatch(this.#layout, source, { X, Y });
    [this.#gathered, this.#set] = [source.indices, source.set];
  }

  /** `mask:0`, `mask:1`, ... of this step, valid until the next call. */
  masks(key: { readonly seed: number; readonly step: number }, indices: Uint32Array): BatchInputs {
    const inputs: BatchInputs = {};
    for (const [layer, { shape, rate }] of this.#dropouts.entries()) {
      const mask = this.#tensor(`mask:${layer}`, shape, { first: 0, samples: indices.length });
      fillMask({ ...key, layer, rate }, indices, mask.elements);
      inputs[`mask:${layer}`] = mask;
    }
    return inputs;
  }

  #tensor(name: string, shape: readonly number[], { first, samples }: Rows): GraphTensor {
    const width = elementCount(shape);
    const end = (first + samples) * width;
    let buffer = this.#buffers.get(name);
    if (buffer === undefined || buffer.length < end) this.#buffers.set(name, (buffer = new Float32Array(end)));
    return { elements: buffer.subarray(first * width, end), dims: [samples, ...shape] };
  }
}

interface Rows {
  readonly first: number;
  readonly samples: number;
}

const NOTHING = new Uint32Array();

/** Is `part` a view within `whole`? Then it has the same numbers, because an order is never written to. */
const isWithin = (part: Uint32Array, whole: Uint32Array): boolean =>
  part.buffer === whole.buffer &&
  part.byteOffset >= whole.byteOffset &&
  part.byteOffset + part.byteLength <= whole.byteOffset + whole.byteLength;
