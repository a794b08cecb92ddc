import { MusterError, type TaskId } from '@muster/shared';
import type { Transport } from '../transport.ts';

/** A range of bytes in one result of a task. */
export interface ResultPiece {
  readonly task: TaskId;
  readonly index: number;
  readonly offset: number;
  readonly length: number;
  /** Scope of the request, so that it can be dropped. */
  readonly scope: string;
}

export interface FetchedPiece {
  readonly bytes: Uint8Array;
  /** Length of the whole result. */
  readonly total: number;
}

/**
 * Fetches up to one chunk of a result. Rejects with PROTOCOL unless it is exactly as long as requested. Waits while too many are in
 * flight.
 */
export async function fetchPiece(transport: Transport, piece: ResultPiece): Promise<FetchedPiece> {
  const fetched = await fetchUpTo(transport, piece);
  if (fetched.bytes.length === piece.length) return fetched;
  throw new MusterError('PROTOCOL', 'a chunk of a result has the wrong length', {
    why: `${fetched.bytes.length} bytes, not ${piece.length}`,
  });
}

/** As `fetchPiece`, but returns fewer bytes than requested at the end of the result. */
export async function fetchUpTo({ fetches, link }: Transport, { scope, ...piece }: ResultPiece): Promise<FetchedPiece> {
  await fetches.enter();
  try {
    const { message, payload } = await link.ask('fetchResult', piece, { scope });
    return { bytes: payload ?? new Uint8Array(), total: message.total };
  } finally {
    fetches.leave();
  }
}
