import { resultShape, specOfProduct } from '../../product.ts';
import { NpyResultFile } from '../../results/npy-result-file.ts';
import { openOperands } from '../operands.ts';
import type { ProductRun } from '../options/product-run.ts';
import { expectApart } from './apart.ts';
import type { Job } from './job.ts';

/** Opens and compares the operands and creates the result file, before anything is submitted. */
export function productJob({ operands, grid, out }: ProductRun): Job {
  if (operands.kind === 'files') expectApart({ '--out': out }, { '--a': operands.a, '--b': operands.b });
  const pair = openOperands(operands);
  try {
    const { a, b } = pair;
    const spec = specOfProduct({ a, b, grid });
    const sink = out === undefined ? undefined : new NpyResultFile(out, resultShape(spec));
    return {
      start: ({ client, request }) => client.multiply({ a, b, grid, sink, ...request }),
      finish: () => Promise.resolve({ out }),
      close: () => {
        sink?.discard();
        pair.close();
      },
    };
  } catch (error) {
    pair.close();
    throw error;
  }
}
