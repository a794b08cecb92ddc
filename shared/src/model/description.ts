import { z } from 'zod';
import { limits } from '../protocol/limits.ts';

const size = z.number().int().min(1).max(limits.dimensionMax.value);
const bias = z.boolean().default(true);

/** Windows of `size` x `size`, one every `stride` values (default `size`: no overlap). */
const pool = { size: size.max(limits.poolSizeMax.value), stride: size.optional() };

const dense = z.strictObject({ type: z.literal('dense'), units: size, bias });
const conv = z.strictObject({
  type: z.literal('conv'),
  filters: size,
  /** The kernel is `kernel` x `kernel`. */
  kernel: size,
  stride: size.default(1),
  /** Zeros on each side; 'same' pads so that the output has ceil(input / stride) rows and columns. */
  padding: z
    .union([z.literal('same'), z.number().int().min(0).max(limits.dimensionMax.value)], {
      error: 'it must be a whole number of at least 0, or "same"',
    })
    .default(0),
  bias,
});
const maxPool = z.strictObject({ type: z.literal('maxPool'), ...pool });
const averagePool = z.strictObject({ type: z.literal('averagePool'), ...pool });
const globalAveragePool = z.strictObject({ type: z.literal('globalAveragePool') });
const activation = z.strictObject({ type: z.enum(['relu', 'gelu', 'sigmoid', 'tanh']) });
const flatten = z.strictObject({ type: z.literal('flatten') });
const layerNorm = z.strictObject({ type: z.literal('layerNorm') });
/** `rate` is the share of values that is dropped. */
const dropout = z.strictObject({ type: z.literal('dropout'), rate: z.number().min(0).lt(1) });
const residual = z.strictObject({
  type: z.literal('residual'),
  layers: z.array(z.lazy((): z.ZodType<Layer> => layer)).min(1),
});

const layer = z
  .discriminatedUnion('type', [
    dense,
    conv,
    maxPool,
    averagePool,
    globalAveragePool,
    activation,
    flatten,
    layerNorm,
    dropout,
    residual,
  ])
  .meta({ id: 'layer' });

export type DenseLayer = z.infer<typeof dense>;
export type ConvLayer = z.infer<typeof conv>;
export type PoolLayer = z.infer<typeof maxPool> | z.infer<typeof averagePool>;
export type Activation = z.infer<typeof activation>['type'];

export interface ResidualLayer {
  readonly type: 'residual';
  /** Their output is added to their input, so both have the same shape. */
  readonly layers: readonly Layer[];
}

export type Layer =
  | DenseLayer
  | ConvLayer
  | PoolLayer
  | z.infer<typeof globalAveragePool>
  | z.infer<typeof activation>
  | z.infer<typeof flatten>
  | z.infer<typeof layerNorm>
  | z.infer<typeof dropout>
  | ResidualLayer;

const description = z.strictObject({
  name: z.string().min(1).max(100),
  input: z.union([z.tuple([size]), z.tuple([size, size, size])], {
    error: 'it must be [features] or [channels, height, width], whole numbers of at least 1',
  }),
  layers: z.array(layer).min(1),
  loss: z.enum(['crossEntropy', 'meanSquaredError']),
});

/** A network as users write it, defaults filled in; docs/model.md describes each layer. Plain JSON, and valid input again. */
export interface Model {
  readonly name: string;
  /** Shape of one sample: [features] or [channels, height, width]. */
  readonly input: readonly number[];
  readonly layers: readonly Layer[];
  readonly loss: z.infer<typeof description>['loss'];
}

export const modelDescription: z.ZodType<Model> = description;

/** What docs/model.schema.json holds. */
export const modelJsonSchema = (): unknown => z.toJSONSchema(description, { io: 'input' });
