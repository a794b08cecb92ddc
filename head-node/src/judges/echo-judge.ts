import { checkEcho, type EchoSpec } from '@muster/shared';
import { nothingToOpen, type Judge } from './judge.ts';

/** What came back must be what was sent. Answers at once: the payload is not kept. */
export const echoJudge: Judge = {
  ...nothingToOpen,
  judge: ({ spec, indices }, payload) => {
    const ok = payload !== null && checkEcho(spec as EchoSpec, indices, payload);
    return { ok, why: ok ? '' : 'the echo differs from what was sent', verifyMs: 0, digest: '' };
  },
};
