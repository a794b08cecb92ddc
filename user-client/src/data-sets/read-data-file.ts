import { limits, MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { fileError } from '../file-error.ts';

const gunzipAsync = promisify(gunzip);
const bytesMax = limits.dataSetBytesMax.value;

/**
 * A whole file, unpacked if its first bytes are those of gzip. Throws BAD_DATA, or TOO_LARGE beyond `dataSetBytesMax`, packed or
 * unpacked.
 */
export async function readDataFile(path: string): Promise<Uint8Array> {
  const bytes = await readBounded(path);
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? unpacked(bytes, path) : bytes;
}

async function readBounded(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > bytesMax) throw tooLarge(path, `it has ${size} bytes`);
    return await file.readFile();
  } catch (error) {
    throw fileError(error, `${path} cannot be read`);
  } finally {
    await file?.close();
  }
}

async function unpacked(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: bytesMax });
  } catch (error) {
    if (systemCodeOf(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(path, 'it unpacks to more');
    throw new MusterError('BAD_DATA', `${path} is damaged`, {
      why: `gunzip: ${error instanceof Error ? error.message : String(error)}`,
      fix: `copy the file again; gunzip -t '${path}' must pass`,
      cause: error,
    });
  }
}

export const tooLarge = (path: string, seen: string): MusterError =>
  new MusterError('TOO_LARGE', `${path} is too large`, {
    why: `${seen}; the limit is ${bytesMax} bytes`,
    fix: 'give fewer samples, or uint8 in the place of float32',
  });
