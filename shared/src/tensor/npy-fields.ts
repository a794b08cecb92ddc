/** Fields of the header of a `.npy` file, of any shape and element type. */
import { MusterError } from '../errors.ts';
import { parsePythonLiteral, type PythonValue } from './python-literal.ts';

export interface NpyFields {
  /** NumPy's name of the element type, or a list of the fields of a record. */
  readonly descr: PythonValue | undefined;
  readonly shape: readonly number[];
  /** Elements lie column by column. */
  readonly fortranOrder: boolean;
  /** Bytes before the first element. */
  readonly dataOffset: number;
}

export const NPY_MAGIC = '\u0093NUMPY';
/** NumPy itself refuses to read a longer header. */
const HEADER_TEXT_MAX_BYTES = 10_000;
/** This many bytes from the start of a file always hold its whole header. */
export const NPY_HEADER_MAX_BYTES = 12 + HEADER_TEXT_MAX_BYTES;

/** Throws BAD_DATA for bytes that do not begin with a whole header; `path` only appears in the texts. */
export function readNpyFields(bytes: Uint8Array, path: string): NpyFields {
  const { text, dataOffset } = headerText(bytes, path);
  const fields = headerFields(text, path);
  const shape = shapeOf(fields.get('shape'), path);
  return { descr: fields.get('descr'), shape, fortranOrder: fields.get('fortran_order') === true, dataOffset };
}

/** The element type. Throws BAD_DATA for records and for Python objects. */
export function descrText(descr: PythonValue | undefined, path: string): string {
  if (descr === undefined) throw damaged(path, "the header has no 'descr'");
  if (typeof descr !== 'string') {
    throw new MusterError('BAD_DATA', `${path} is a structured array`, {
      why: 'its elements are records; a matrix has numbers',
      fix: `save one field: np.save('${path}', a['name'].astype('<f4'))`,
    });
  }
  if (!/^[<>=|]?O/.test(descr)) return descr;
  throw new MusterError('BAD_DATA', `${path} holds Python objects`, {
    why: `its dtype is '${descr}', which only Python can read and which may run code when read`,
    fix: convert(path, '<f4'),
  });
}

/** `to` is the same type, little-endian. */
export const bigEndian = (descr: string, to: string, path: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is big-endian`, {
    why: `its dtype is '${descr}'; Muster reads little-endian files`,
    fix: convert(path, to),
  });

export const convert = (path: string, to: string): string => `np.save('${path}', a.astype('${to}'))`;

function headerText(bytes: Uint8Array, path: string): { text: string; dataOffset: number } {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (frame.toString('latin1', 0, 6) !== NPY_MAGIC) throw notNpy(path, frame);
  const version = frame[6] ?? 0;
  if (version < 1 || version > 3) throw damaged(path, `format version ${version}; 1, 2 and 3 are known`);
  const prefix = version === 1 ? 10 : 12;
  if (frame.length < prefix) throw damaged(path, `the header ends after ${frame.length} bytes`);
  const length = version === 1 ? frame.readUInt16LE(8) : frame.readUInt32LE(8);
  if (length > HEADER_TEXT_MAX_BYTES)
    throw damaged(path, `a header of ${length} bytes; ${HEADER_TEXT_MAX_BYTES} is the most`);
  const dataOffset = prefix + length;
  if (frame.length < dataOffset)
    throw damaged(path, `the header should have ${dataOffset} bytes and ends after ${frame.length}`);
  return { text: frame.toString(version === 3 ? 'utf8' : 'latin1', prefix, dataOffset), dataOffset };
}

function headerFields(text: string, path: string): ReadonlyMap<PythonValue, PythonValue> {
  const fields = readLiteral(text, path);
  if (!(fields instanceof Map)) throw damaged(path, 'the header is not a dictionary');
  if (typeof fields.get('fortran_order') !== 'boolean') throw damaged(path, "the header has no 'fortran_order'");
  return fields;
}

function readLiteral(text: string, path: string): PythonValue {
  try {
    return parsePythonLiteral(text);
  } catch (error) {
    throw damaged(path, `the header cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function shapeOf(shape: PythonValue | undefined, path: string): readonly number[] {
  if (Array.isArray(shape) && shape.every((side) => Number.isSafeInteger(side) && side >= 0)) return shape as number[];
  throw damaged(path, "the header has no valid 'shape'");
}

function notNpy(path: string, frame: Buffer): MusterError {
  const why = frame.length === 0 ? 'it is empty' : `it starts with ${frame.toString('hex', 0, 6)}, not 934e554d5059`;
  return new MusterError('BAD_DATA', `${path} is not a .npy file`, { why, fix: `np.save('${path}', a.astype('<f4'))` });
}

const damaged = (path: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is damaged`, {
    why,
    fix: `write or copy the file again: np.save('${path}', a)`,
  });
