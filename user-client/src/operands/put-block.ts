import { limits, MusterError, type BlockId } from '@muster/shared';
import type { Answer } from '../link/requests.ts';
import type { Transport } from '../transport.ts';

/** More than one, because a restarted head has forgotten the chunks of an incomplete block. */
const ATTEMPTS = 5;

export interface BlockPut {
  readonly id: BlockId;
  readonly bytes: Uint8Array;
  readonly scope: string;
}

/**
 * Sends a block over the socket in chunks, with a limited number in flight. Resolves to whether ZeroMQ may still hold its bytes. Rejects
 * with BLOCK_MISSING after ATTEMPTS.
 */
export async function putBlock(transport: Transport, block: BlockPut): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const stored = await Promise.all(
      chunkOffsets(block.bytes.length).map((offset) => putChunk(transport, block, offset)),
    );
    if (stored.some(({ message }) => message.complete)) return attempt > 1 || stored.some(({ resent }) => resent);
  }
  throw new MusterError('BLOCK_MISSING', 'the head did not keep a block', {
    why: `${block.id} was sent ${ATTEMPTS} times`,
  });
}

export function chunkOffsets(bytes: number): number[] {
  const chunk = limits.chunkBytesMax.value;
  return Array.from({ length: Math.ceil(bytes / chunk) }, (_, position) => position * chunk);
}

async function putChunk(
  { link, puts }: Transport,
  { id, bytes, scope }: BlockPut,
  offset: number,
): Promise<Answer<'put'>> {
  await puts.enter();
  try {
    const payload = bytes.subarray(offset, offset + limits.chunkBytesMax.value);
    return await link.ask('put', { block: id, offset, total: bytes.length }, { payload, scope });
  } finally {
    puts.leave();
  }
}
