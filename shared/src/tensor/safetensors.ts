/**
 * The safetensors format (github.com/huggingface/safetensors, README "Format"): 8 bytes with the length of a JSON header, the
 * header, and the elements of all tensors without a gap. Nothing in it is code. Little-endian, row-major.
 */
import { elementCount } from './shape.ts';
import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';
import { checkJsonKeys } from './json-keys.ts';

/** Bytes an element takes. */
export const safetensorsDtypes = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof safetensorsDtypes;

export interface StoredTensor {
  readonly dtype: SafetensorsDtype;
  /** [] for a single number. */
  readonly shape: readonly number[];
  /** The elements, little-endian. */
  readonly bytes: Uint8Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const LENGTH_BYTES = 8;
const METADATA = '__metadata__';
/** Header, tensor, and its shape or offsets. */
const HEADER_DEPTH_MAX = 3;
const ALIGNMENT = 8;

/**
 * The file in pieces, to be written one after the other: header, then the bytes of the tensors, which are not copied. Wide
 * elements come first, so that each tensor is aligned in a file that is mapped into memory.
 */
export function writeSafetensors({ tensors, metadata }: Safetensors): Uint8Array[] {
  const stored = [...tensors].toSorted(
    ([, one], [, other]) => safetensorsDtypes[other.dtype] - safetensorsDtypes[one.dtype],
  );
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of stored) {
    checkWritable(name, { dtype, shape, bytes });
    entries.push([name, { dtype, shape, data_offsets: [offset, offset + bytes.byteLength] }]);
    offset += bytes.byteLength;
  }
  return [headerPiece(Object.fromEntries(entries)), ...stored.map(([, { bytes }]) => bytes)];
}

/**
 * The tensors of a file, as views of its bytes, in the order of their offsets. Throws BAD_DATA for anything but a whole and valid file;
 * `path` only appears in the texts.
 */
export function readSafetensors(bytes: Uint8Array, path: string): Safetensors {
  const { text, elements } = splitHeader(bytes, path);
  const { [METADATA]: metadata, ...entries } = parseHeader(text, path);
  const tensors = Object.entries(entries)
    .map(([name, entry]) => ({ name, ...parseEntry(name, entry, path) }))
    .toSorted((one, other) => one.from - other.from || one.to - other.to);
  let end = 0;
  for (const { name, from, to } of tensors) {
    if (from !== end) throw damaged(path, `tensor '${name}' begins at byte ${from}, the one before ends at ${end}`);
    end = to;
  }
  if (end !== elements.byteLength)
    throw damaged(path, `the tensors need ${end} bytes, the file has ${elements.byteLength} behind its header`);
  return {
    tensors: new Map(
      tensors.map(({ name, dtype, shape, from, to }) => [name, { dtype, shape, bytes: elements.subarray(from, to) }]),
    ),
    metadata: parseMetadata(metadata, path),
  };
}

/** The metadata alone, of a file of which `start` holds the whole header. Throws BAD_DATA as `readSafetensors` does. */
export function readSafetensorsMetadata(start: Uint8Array, path: string): Safetensors['metadata'] {
  const { [METADATA]: metadata } = parseHeader(splitHeader(start, path).text, path);
  return parseMetadata(metadata, path);
}

function checkWritable(name: string, { dtype, shape, bytes }: StoredTensor): void {
  const expected = byteLengthOf(dtype, shape);
  if (name !== METADATA && expected === bytes.byteLength) return;
  throw new MusterError('BUG', `tensor '${name}' cannot be written`, {
    why: `${bytes.byteLength} bytes for ${dtype} [${shape.join(', ')}], which is ${expected}`,
  });
}

/** Padded with spaces, as the reference writer does. */
function headerPiece(header: Record<string, unknown>): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const piece = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(piece.buffer).setBigUint64(0, BigInt(length), true);
  piece.set(text, LENGTH_BYTES);
  return piece;
}

function splitHeader(bytes: Uint8Array, path: string): { text: string; elements: Uint8Array } {
  if (bytes.byteLength < LENGTH_BYTES) throw damaged(path, `it has ${bytes.byteLength} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const most = limits.safetensorsHeaderBytesMax.value;
  if (length > most) throw damaged(path, `its header should have ${length} bytes; ${most} is the most`);
  const end = LENGTH_BYTES + length;
  if (end > bytes.byteLength)
    throw damaged(path, `its header should end at byte ${end}, the file has ${bytes.byteLength}`);
  return { text: utf8(bytes.subarray(LENGTH_BYTES, end), path), elements: bytes.subarray(end) };
}

function utf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged(path, 'its header is not UTF-8');
  }
}

function parseHeader(text: string, path: string): Record<string, unknown> {
  try {
    checkJsonKeys(text, HEADER_DEPTH_MAX);
    const header: unknown = JSON.parse(text);
    if (isRecord(header)) return header;
  } catch (error) {
    throw damaged(path, `its header cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw damaged(path, 'its header is not an object');
}

interface Entry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

function parseEntry(name: string, entry: unknown, path: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (!isDtype(dtype))
    throw damaged(
      path,
      `tensor '${name}' has dtype ${JSON.stringify(dtype)}; ${Object.keys(safetensorsDtypes).join(', ')} are known`,
    );
  if (!areCounts(shape)) throw damaged(path, `tensor '${name}' has shape ${JSON.stringify(shape)}`);
  const [from, to] = areCounts(offsets) && offsets.length === 2 ? offsets : [];
  if (from === undefined || to === undefined)
    throw damaged(path, `tensor '${name}' has data_offsets ${JSON.stringify(offsets)}`);
  const expected = byteLengthOf(dtype, shape);
  if (to - from !== expected)
    throw damaged(path, `tensor '${name}' is ${dtype} [${shape.join(', ')}], ${expected} bytes, and has ${to - from}`);
  return { dtype, shape, from, to };
}

/** Not exact beyond 2^53, but no file is that long. */
const byteLengthOf = (dtype: SafetensorsDtype, shape: readonly number[]): number =>
  elementCount(shape) * safetensorsDtypes[dtype];

function parseMetadata(metadata: unknown, path: string): Readonly<Record<string, string>> {
  if (metadata === undefined) return {};
  if (isRecord(metadata) && Object.values(metadata).every((value) => typeof value === 'string'))
    return metadata as Record<string, string>;
  throw damaged(path, `${METADATA} may only hold texts`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && Object.hasOwn(safetensorsDtypes, value);

const areCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);

const damaged = (path: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is not a valid safetensors file`, {
    why,
    fix: 'copy the file again from where it was written, or give another one',
  });
