import { checkEcho, type EchoSpec } from '@muster/shared';
import { nothingToOpen, type Judge } from './judge.ts';

/** The result must equal what was sent. Judged synchronously, as the payload is not kept. */
export const echoJudge: Judge = {
  ...nothingToOpen,
  judge: ({ spec, indices }, payload) => {
    const ok = payload !== null && checkEcho(spec as EchoSpec, indices, payload);
    return { ok, why: ok ? '' : 'the echo differs from what was sent', verifyMs: 0, digest: '' };
  },
};
