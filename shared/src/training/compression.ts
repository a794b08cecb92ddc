import { z } from 'zod';
import { MusterError } from '../errors.ts';

/** How gradients travel: 4, 2, about 1 or 8 * topk bytes a parameter. `topk` is the fraction of parameters that is sent, in (0, 1]. */
export type Compression = 'none' | 'bf16' | 'int8' | { readonly topk: number };

const PERCENT = /^topk:(\d+(?:\.\d+)?)%$/;

export const compressions = z.union(
  [
    z.enum(['none', 'bf16', 'int8']),
    z.string().regex(PERCENT),
    z.strictObject({ topk: z.number().positive().max(1) }).readonly(),
  ],
  { error: "not one of 'none', 'bf16', 'int8', 'topk:1%'" },
);

/** `'topk:1%'` is `{ topk: 0.01 }`; the others stay what they are. @throws USAGE for a share that is not in (0 %, 100 %]. */
export function parseCompression(given: z.infer<typeof compressions>): Compression {
  if (typeof given === 'object') return Object.freeze({ topk: given.topk });
  if (given === 'none' || given === 'bf16' || given === 'int8') return given;
  const topk = Number(PERCENT.exec(given)?.[1]) / 100;
  if (topk > 0 && topk <= 1) return Object.freeze({ topk });
  throw new MusterError('USAGE', 'the training option compression is not valid', {
    why: `a share above 0 % and up to 100 % is sent; got '${given}'`,
    fix: "set compression to 'topk:1%'",
  });
}
