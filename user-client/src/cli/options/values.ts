/** Parses option texts into values in range. Every function throws USAGE with the option, the text and a fix. */
import { closestOf, MusterError, parseWhole } from '@muster/shared';

export const usage = (what: string, facts: { readonly why: string; readonly fix: string }): MusterError =>
  new MusterError('USAGE', what, facts);

export type Range = readonly [min: number, max: number];

export const wholeOf = (text: string | undefined, option: string, range: Range): number | undefined =>
  text === undefined ? undefined : parseWhole(text, option, range);

export function numberOf(
  text: string | undefined,
  option: string,
  [min, max, example]: readonly [...Range, number],
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usage(`${option} needs a number from ${min} to ${max}`, { why: `got '${text}'`, fix: `${option} ${example}` });
}

export function oneOf<const T extends string>(text: string, option: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`${option} must be ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`, {
    why: `got '${text}'`,
    fix: `${option} ${closestOf(text, known) ?? known[0]}`,
  });
}

export const maybeOneOf = <const T extends string>(
  text: string | undefined,
  option: string,
  known: readonly T[],
): T | undefined => (text === undefined ? undefined : oneOf(text, option, known));

/** The text of a mandatory option. Throws USAGE when it is missing; `facts.fix` shows an example. */
export function required(text: string | undefined, option: string, facts: { why: string; fix: string }): string {
  if (text !== undefined) return text;
  throw usage(`${option} is missing`, facts);
}
