/** Serves a REP socket: one answer for each request and no await in between, so that no peer waits for another's disk access. */
import { encode, isMusterError, MusterError, toWireError, type Envelope, type Logger } from '@muster/shared';
import type { Reply } from 'zeromq';
import type { Entrance, Gate } from '../trust/gate.ts';
import type { Peer } from '../trust/peer.ts';

/** Returns the frame of the answer. What it throws becomes a `refused`. */
export type Answer = (envelope: Envelope, peer: Peer) => Buffer;

export interface ReplyOptions {
  readonly entrance: Entrance;
  readonly gate: Gate;
  readonly logger: Logger;
}

export async function serveReplies(socket: Reply, answer: Answer, options: ReplyOptions): Promise<void> {
  for await (const frames of socket) await socket.send(answerSafely(frames, answer, options));
}

function answerSafely(frames: readonly Buffer[], answer: Answer, { entrance, gate, logger }: ReplyOptions): Buffer {
  try {
    const envelope = gate.decode(entrance, frames);
    return answer(envelope, gate.admit(entrance, envelope));
  } catch (error) {
    if (!isMusterError(error)) logger.error({ error }, 'a request broke its handler');
    else logger.debug({ code: error.code, why: error.why }, error.message);
    return encode('refused', { error: toWireError(error) });
  }
}

export const unexpected = (type: string): MusterError =>
  new MusterError('PROTOCOL', 'a message came on the wrong channel', { why: type });
