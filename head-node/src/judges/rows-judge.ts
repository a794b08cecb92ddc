import { rowBytes, type InferSpec } from '@muster/shared';
import type { IncomingResults } from '../io/incoming-results.ts';
import type { Verifier } from '../verify/index.ts';
import { nothingToOpen, type Judge } from './judge.ts';

/** Rows of a model's output: there must be as many as were asked for. To check their values would take another run of the model. */
export const rowsJudge = (verifier: Verifier, incoming: IncomingResults): Judge => ({
  ...nothingToOpen,
  judge: async (order) => {
    const [from = 0, to = 0] = order.region;
    const wanted = (to - from) * rowBytes((order.spec as InferSpec).output);
    const { bytes, digest, verifyMs } = await verifier.digest(incoming.pathOf(order));
    const ok = bytes === wanted;
    return { ok, why: ok ? '' : `${bytes} bytes where ${to - from} rows are ${wanted}`, verifyMs, digest };
  },
});
