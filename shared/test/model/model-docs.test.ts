import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { isMusterError, describeError, modelJsonSchema, parameterCount, parseModel } from '@muster/shared';

const docs = join(import.meta.dirname, '..', '..', '..', 'docs');
const page = readFileSync(join(docs, 'model.md'), 'utf8');

/** Contents of the page's code blocks of one language. */
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, 'gs'))].map(([, text]) => text ?? '');

/** The values of `type` in a JSON schema, wherever a layer is described. */
function layerTypes(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const inner = Object.values(schema).flatMap(layerTypes);
  if (!('properties' in schema)) return inner;
  const { type } = schema.properties as { type?: { const?: string; enum?: string[] } };
  return [...inner, ...(type?.enum ?? []), ...(type?.const === undefined ? [] : [type.const])];
}

describe('docs', () => {
  test('model.schema.json is the schema that models are checked with', () => {
    expect(JSON.parse(readFileSync(join(docs, 'model.schema.json'), 'utf8'))).toEqual(modelJsonSchema());
  });

  test('model.md lists exactly the layers of the schema', () => {
    const table = page.split('## Layers')[1]?.split('- Kernels')[0] ?? '';
    const listed = table.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)]);
    expect(new Set(listed.map(([, type]) => type))).toEqual(new Set(layerTypes(modelJsonSchema())));
  });

  test('the examples of model.md are models', () => {
    const counts = blocks('json').map((text) => parameterCount(parseModel(JSON.parse(text))));
    expect(counts).toEqual([156 + 2416 + 48_120 + 1210, 448 + 64 + 2 * 1056 + 33]);
  });

  test('the error of model.md is the one that is printed', () => {
    const layers = [
      { type: 'conv', filters: 6, kernel: 5, padding: 2 },
      { type: 'maxPool', size: 2 },
      { type: 'dense', units: 10 },
    ];
    const model = { name: 'digits', input: [1, 28, 28], layers, loss: 'crossEntropy' };
    let printed = '';
    try {
      parseModel(model);
    } catch (error) {
      printed = isMusterError(error) ? describeError(error) : String(error);
    }
    expect(printed).toBe(blocks('')[0]);
  });
});
