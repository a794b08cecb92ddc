import { MusterError, type TaskId } from '@muster/shared';
import type { Transport } from '../transport.ts';

/** A result and the place in it. */
export interface ResultPiece {
  readonly task: TaskId;
  readonly index: number;
  readonly offset: number;
  readonly length: number;
  /** Of the questions, so that they can be dropped. */
  readonly scope: string;
}

export interface FetchedPiece {
  readonly bytes: Uint8Array;
  /** Length of the whole result. */
  readonly total: number;
}

/** At most one chunk of a result, exactly as long as asked for. Waits while too many are under way. */
export async function fetchPiece(transport: Transport, piece: ResultPiece): Promise<FetchedPiece> {
  const fetched = await fetchUpTo(transport, piece);
  if (fetched.bytes.length === piece.length) return fetched;
  throw new MusterError('PROTOCOL', 'a chunk of a result has the wrong length', {
    why: `${fetched.bytes.length} bytes, not ${piece.length}`,
  });
}

/** Fewer bytes than asked for at the end of the result. */
export async function fetchUpTo({ fetches, link }: Transport, { scope, ...piece }: ResultPiece): Promise<FetchedPiece> {
  await fetches.enter();
  try {
    const { message, payload } = await link.ask('fetchResult', piece, { scope });
    return { bytes: payload ?? new Uint8Array(), total: message.total };
  } finally {
    fetches.leave();
  }
}
