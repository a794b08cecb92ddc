import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';
import { modelDescription, type Model } from './description.ts';
import { parameterCount } from './parameters.ts';
import { placeLayers, shapeText } from './place-layers.ts';

/**
 * The gate for model descriptions.
 * @throws MusterError BAD_MODEL naming the layer by its place and type, TOO_LARGE beyond a limit of docs/limits.md
 */
export function parseModel(json: unknown): Model {
  checkLayers(json);
  const parsed = modelDescription.safeParse(json);
  if (!parsed.success) throw invalid(json, parsed.error.issues[0]);
  const model = parsed.data;
  checkOutput(model);
  checkParameters(model);
  return model;
}

/** Number of outputs: classes of a classifier, values of a regression. */
export const outputCount = (model: Model): number => placeLayers(model.layers, model.input).at(-1)?.output[0] ?? 0;

/** Runs before anything recurses, level by level, so that neither depth nor number of layers can exhaust the stack. */
function checkLayers(json: unknown): void {
  let count = 0;
  let level = layersIn(json);
  for (let depth = 1; level.length > 0; depth++) {
    count += level.length;
    checkLimit('modelLayersMax', count, 'use fewer layers');
    checkLimit('modelDepthMax', depth, 'nest residual layers less deeply');
    level = level.flatMap(layersIn);
  }
}

function layersIn(json: unknown): unknown[] {
  if (typeof json !== 'object' || json === null || !('layers' in json)) return [];
  return Array.isArray(json.layers) ? (json.layers as unknown[]) : [];
}

function checkLimit(name: 'modelLayersMax' | 'modelDepthMax' | 'modelParametersMax', seen: number, fix: string): void {
  const { value, unit } = limits[name];
  if (seen <= value) return;
  throw new MusterError('TOO_LARGE', 'the model is too large', {
    why: `it has ${seen} ${unit} or more, the limit is ${value}`,
    fix,
  });
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function invalid(json: unknown, issue: Issue = { path: [], message: 'unknown' }): MusterError {
  const { layer, rest } = layerAt(json, issue.path);
  const field = rest.length === 0 ? '' : `${rest.join('.')}: `;
  return new MusterError('BAD_MODEL', `${layer ?? 'the model description'} is not valid`, {
    why: isMissing(json, issue.path) ? `'${issue.path.join('.')}' is missing` : `${field}${issue.message}`,
    fix: 'see docs/model.md for the layers and their fields',
  });
}

function isMissing(json: unknown, path: readonly PropertyKey[]): boolean {
  let value = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return false;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return path.length > 0 && value === undefined;
}

/** The innermost layer on a path, as `layers.3 (conv)`, and what is left of the path. */
function layerAt(json: unknown, path: readonly PropertyKey[]): { layer?: string; rest: readonly PropertyKey[] } {
  const [key, index, ...rest] = path;
  if (key !== 'layers' || typeof index !== 'number') return { rest: path };
  const own = layersIn(json)[index];
  const deeper = layerAt(own, rest);
  const name = `layers.${index}`;
  return { rest: deeper.rest, layer: deeper.layer ? `${name}.${deeper.layer}` : `${name} (${typeOf(own)})` };
}

function typeOf(layer: unknown): string {
  if (typeof layer !== 'object' || layer === null || !('type' in layer)) return 'no type';
  return typeof layer.type === 'string' ? layer.type.slice(0, 40) : 'no type';
}

function checkOutput({ layers, input }: Model): void {
  const last = placeLayers(layers, input).at(-1);
  if (last?.output.length === 1) return;
  throw new MusterError('BAD_MODEL', `the output of ${last?.name} (${last?.layer.type}) is not a vector`, {
    why: `it is ${shapeText(last?.output ?? [])}`,
    fix: 'end with a dense layer, or with globalAveragePool or flatten',
  });
}

function checkParameters(model: Model): void {
  const count = parameterCount(model);
  checkLimit('modelParametersMax', count, 'use fewer units or filters');
  if (count > 0) return;
  throw new MusterError('BAD_MODEL', 'the model has nothing to train', {
    why: 'none of its layers has weights',
    fix: 'add a dense, conv or layerNorm layer',
  });
}
