import { errorKinds } from '@muster/shared';
import * as fc from 'fast-check';
import type { z } from 'zod';

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: digits, maxLength: digits });

/** Candidates for every leaf of a message; each schema keeps those that it accepts. */
const leaves: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: fc.oneof(hex(16), hex(32), fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' })),
  number: fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.double({ min: 0, noNaN: true })),
  boolean: fc.boolean(),
  custom: fc.oneof(fc.constantFrom(...Object.keys(errorKinds)), hex(16), hex(32)),
  unknown: fc.jsonValue({ maxDepth: 2 }).map(asPlainJson),
};

/** Through JSON, which has no -0; `__proto__` as a key is renamed by msgpack. */
function asPlainJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown;
}

/** Values that a message's schema accepts, found from the schema itself, so that no message is forgotten. */
export function arbitraryOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const { def } = schema as unknown as { def: Definition };
  return composite(def) ?? leafOf(schema as z.ZodType, def.type);
}

interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly entries?: Readonly<Record<string, string>>;
}

function composite({
  type,
  shape,
  element,
  innerType,
  valueType,
  entries,
}: Definition): fc.Arbitrary<unknown> | undefined {
  if (type === 'object' && shape) {
    return fc.record(Object.fromEntries(Object.entries(shape).map(([field, inner]) => [field, arbitraryOf(inner)])), {
      noNullPrototype: true,
    });
  }
  if (type === 'array' && element) return fc.array(arbitraryOf(element), { maxLength: 4 });
  if (type === 'nullable' && innerType) return fc.option(arbitraryOf(innerType));
  if (type === 'record' && valueType)
    return fc.dictionary(hex(6), arbitraryOf(valueType), { maxKeys: 3, noNullPrototype: true });
  if (type === 'enum' && entries) return fc.constantFrom(...Object.values(entries));
  return undefined;
}

function leafOf(schema: z.ZodType, type: string): fc.Arbitrary<unknown> {
  const candidates = leaves[type];
  if (candidates === undefined) throw new Error(`no values are known for a schema of type ${type}`);
  const accepted = (value: unknown): boolean => schema.safeParse(value).success;
  // A filter that nothing passes would draw forever.
  if (!fc.sample(candidates, { seed: 1, numRuns: 300 }).some(accepted)) throw new Error(`no value fits ${type}`);
  return candidates.filter(accepted);
}
