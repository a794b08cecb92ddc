/** Small bytes that are large inside. */
import { encode, HEADER_BYTES, messages, sealBetween, sealed, type MessageType } from '@muster/shared';
import { crc32 } from 'node:zlib';
import type { Keys } from '../trust/raw-peer.ts';

const RLE_BLOCK_BYTES = 128 * 1024;

/** A zstd frame (RFC 8878) of so many bytes that claims, and would unpack to, 32,768 times as much. */
export function zstdBomb(bytes: number): Buffer {
  const blocks = Math.floor((bytes - 13) / 4);
  const header = Buffer.alloc(13);
  header.writeUInt32LE(0xfd2fb528, 0);
  // Single segment, content size in 8 bytes.
  header[4] = 0xe0;
  header.writeBigUInt64LE(BigInt(blocks * RLE_BLOCK_BYTES), 5);
  const body = Buffer.alloc(4 * blocks);
  for (let at = 0; at < blocks; at += 1)
    body.writeUIntLE((RLE_BLOCK_BYTES << 3) | 0b010 | Number(at === blocks - 1), 4 * at, 3);
  return Buffer.concat([header, body]);
}

/** msgpack of arrays in arrays. */
export const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);

/** A frame of this type, sealed, with a right checksum, around whatever bytes. */
export function frameAround(type: MessageType, meta: Buffer, { own, head }: Keys): Buffer {
  const frame = Buffer.concat([encode('ok', {}).subarray(0, HEADER_BYTES), meta]);
  frame[3] = messages[type].code;
  frame.writeUInt32LE(crc32(meta), 12);
  frame.writeUInt32LE(meta.length, 16);
  return sealed(frame, sealBetween(own.secretKey, head));
}
