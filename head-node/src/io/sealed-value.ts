import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';

/**
 * Values on disk: `u32 crc32, structured clone`, little endian. LMDB has no checksums of its own, and a spec may hold what JSON
 * cannot (bytes, NaN). Newer versions of Node read what older ones wrote.
 */
export function seal(value: unknown): Buffer {
  const bytes = serialize(value);
  const sealed = Buffer.allocUnsafe(4 + bytes.length);
  sealed.writeUInt32LE(crc32(bytes), 0);
  sealed.set(bytes, 4);
  return sealed;
}

/** Throws when the bytes are not those that `seal` made. */
export function unseal(sealed: Buffer): unknown {
  if (sealed.length < 4) throw new RangeError(`a record of ${sealed.length} bytes`);
  // A copy: the database's memory is valid only until the next read.
  const bytes = Buffer.from(sealed.subarray(4));
  if (crc32(bytes) !== sealed.readUInt32LE(0)) throw new RangeError('the checksum of a record differs');
  return deserialize(bytes);
}
