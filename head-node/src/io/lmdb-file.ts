import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { systemCodeOf } from '@muster/shared/io';

/** Layout of LMDB's two meta pages (data version 2, 64 bit), little endian: see `MDB_meta` in its mdb.c. */
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META = { magic: 24, version: 28, pageBytes: 48, lastPage: 144, end: 152 };

/**
 * LMDB maps its file; reading a page behind the end of a file that was cut short would kill the process (SIGBUS). With the file
 * extended by zeros to the length that it declares, such a page is read, and refused. Pages behind the end may also be free
 * ones that were never written: then nothing is missing.
 */
export function extendToDeclaredLength(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const declared = declaredBytes(file);
    if (size < declared) ftruncateSync(file, declared);
  } finally {
    closeSync(file);
  }
}

/** The larger of what the two meta pages say; throws when the file is no LMDB file. */
function declaredBytes(file: number): number {
  const first = readMeta(file, 0);
  const pageBytes = first.readUInt32LE(META.pageBytes);
  if (pageBytes < 512 || pageBytes > 65_536) throw new RangeError(`the file declares pages of ${pageBytes} bytes`);
  const second = readMeta(file, pageBytes);
  const lastPages = [first, second].map((meta) => meta.readBigUInt64LE(META.lastPage));
  const last = lastPages.reduce((a, b) => (a > b ? a : b));
  if (last > BigInt(Number.MAX_SAFE_INTEGER) / 65_536n) throw new RangeError(`the file declares ${last} pages`);
  return (Number(last) + 1) * pageBytes;
}

function readMeta(file: number, offset: number): Buffer {
  const meta = Buffer.alloc(META.end);
  readSync(file, meta, 0, META.end, offset);
  const version = meta.readUInt32LE(META.version) & 0xffff;
  if (meta.readUInt32LE(META.magic) !== MAGIC) throw new RangeError('the file is no LMDB database');
  if (version !== DATA_VERSION) throw new RangeError(`the file is an LMDB database of version ${version}`);
  return meta;
}
