import type { MatrixMultSpec } from '@muster/shared';
import type { BlockStore } from '@muster/shared/io';
import type { IncomingResults } from '../io/incoming-results.ts';
import type { Verifier } from '../verify/index.ts';
import type { Judge } from './judge.ts';

export interface ProductJudgePorts {
  readonly verifier: Verifier;
  readonly blocks: BlockStore;
  readonly incoming: IncomingResults;
}

/** Tiles of a product against its operands, in the verify process. */
export const productJudge = ({ verifier, blocks, incoming }: ProductJudgePorts): Judge => ({
  open: ({ task, spec, operands }) => {
    const paths = (name: string): string[] => (operands.get(name) ?? []).map((id) => blocks.pathOf(id));
    verifier.open(task, {
      spec: spec as MatrixMultSpec,
      aPaths: paths('a'),
      bPaths: paths('b'),
      bIds: [...(operands.get('b') ?? [])],
    });
  },
  judge: async (order) => {
    const [top = 0, bottom = 0, left = 0, right = 0] = order.region;
    const tile = {
      task: order.task,
      path: incoming.pathOf(order),
      rows: [top, bottom],
      columns: [left, right],
    } as const;
    const { ok, residual, threshold, verifyMs, digest } = await verifier.check(tile);
    const why = ok ? '' : `residual ${residual.toExponential(2)} above ${threshold.toExponential(2)}`;
    return { ok, why, verifyMs, digest };
  },
  close: (task) => verifier.close(task),
});
