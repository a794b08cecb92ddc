/** Serves a REP socket: one request, one answer, never an await in between, so that nobody waits behind somebody's disk. */
import { decode, encode, isMusterError, MusterError, toWireError, type Envelope, type Logger } from '@muster/shared';
import type { Reply } from 'zeromq';

/** Returns the frame of the answer. What it throws becomes a `refused`. */
export type Answer = (envelope: Envelope) => Buffer;

export async function serveReplies(socket: Reply, answer: Answer, logger: Logger): Promise<void> {
  for await (const frames of socket) await socket.send(answerSafely(frames, answer, logger));
}

function answerSafely(frames: readonly Buffer[], answer: Answer, logger: Logger): Buffer {
  try {
    return answer(decode(frames));
  } catch (error) {
    if (!isMusterError(error)) logger.error({ error }, 'a request broke its handler');
    else logger.warn({ code: error.code, why: error.why }, error.message);
    return encode('refused', { error: toWireError(error) });
  }
}

export const unexpected = (type: string): MusterError =>
  new MusterError('PROTOCOL', 'a message came on the wrong channel', { why: type });
