/** Encoding of gradients: 4, 2, about 1 or 8 * topk bytes a parameter. `topk` is the fraction of parameters that is sent, in (0, 1]. */
export type Compression = 'none' | 'bf16' | 'int8' | { readonly topk: number };

const PERCENT = /^topk:(\d+(?:\.\d+)?)%$/;

/** A compression, or the text `'topk:1%'` for `{ topk: 0.01 }`; undefined for anything else. */
export function parseCompression(given: unknown): Compression | undefined {
  if (given === 'none' || given === 'bf16' || given === 'int8') return given;
  const topk = typeof given === 'string' ? Number(PERCENT.exec(given)?.[1]) / 100 : fractionOf(given);
  return topk > 0 && topk <= 1 ? Object.freeze({ topk }) : undefined;
}

function fractionOf(given: unknown): number {
  const sparse = typeof given === 'object' && given !== null && 'topk' in given && Object.keys(given).length === 1;
  return sparse && typeof given.topk === 'number' ? given.topk : Number.NaN;
}
