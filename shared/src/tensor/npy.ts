/** The `.npy` format, versions 1 to 3 (NumPy enhancement proposal 1 and `numpy/lib/_format_impl.py`), for matrices. */
import { MusterError } from '../errors.ts';
import { dtypes, operandDtypes, type Dtype, type OperandDtype } from './dtype.ts';
import { parsePythonLiteral, type PythonValue } from './python-literal.ts';

export interface NpyHeader {
  readonly dtype: Dtype;
  /** [rows, columns], both at least 1. */
  readonly shape: readonly [number, number];
  /** Elements lie column by column. */
  readonly fortranOrder: boolean;
  /** Bytes before the first element. */
  readonly dataOffset: number;
}

export interface NpyOperandHeader extends NpyHeader {
  readonly dtype: OperandDtype;
}

const MAGIC = '\u0093NUMPY';
/** NumPy itself refuses to read a longer header. */
const HEADER_TEXT_MAX_BYTES = 10_000;
/** So many bytes from the start of a file always hold its whole header. */
export const NPY_HEADER_MAX_BYTES = 12 + HEADER_TEXT_MAX_BYTES;
const ALIGNMENT = 64;
const SUPPORTED = Object.entries(dtypes).map(([dtype, { npy }]) => `${dtype} (${npy})`);

/**
 * Reads the header from the first bytes of a file (all of it, or NPY_HEADER_MAX_BYTES). Throws BAD_DATA with the command
 * that repairs the file; `path` only appears in the texts.
 */
export function parseNpyHeader(bytes: Uint8Array, path: string): NpyHeader {
  const { text, dataOffset } = headerText(bytes, path);
  const fields = headerFields(text, path);
  const dtype = dtypeOf(fields.get('descr'), path);
  const shape = shapeOf(fields.get('shape'), path);
  return { dtype, shape, fortranOrder: fields.get('fortran_order') === true, dataOffset };
}

/** The header of a file that is to be multiplied. int32 is the type of a product only. */
export function parseNpyOperand(bytes: Uint8Array, path: string): NpyOperandHeader {
  const header = parseNpyHeader(bytes, path);
  const { dtype } = header;
  if (isOperandDtype(dtype)) return { ...header, dtype };
  throw new MusterError('BAD_DATA', `${path} cannot be an operand`, {
    why: `its elements are ${dtype}; operands are ${operandDtypes.join(', ')}`,
    fix: convert(path, '<f4'),
  });
}

/** Does the file hold exactly the elements that its header promises? */
export function checkNpyLength({ dtype, shape, dataOffset }: NpyHeader, fileBytes: number, path: string): void {
  const expected = dataOffset + shape[0] * shape[1] * dtypes[dtype].bytes;
  if (fileBytes === expected) return;
  const what = fileBytes < expected ? `${path} is truncated` : `${path} has bytes behind its last element`;
  throw new MusterError('BAD_DATA', what, {
    why: `${shape[0]} x ${shape[1]} ${dtype} need ${expected} bytes with the header, the file has ${fileBytes}`,
    fix: `write or copy the file again: np.save('${path}', a)`,
  });
}

/** A version 1 header for elements in C order; its length is a multiple of 64, so that elements stay aligned when mapped. */
export function npyHeader(dtype: Dtype, [rows, columns]: readonly [number, number]): Buffer {
  const fields = `{'descr': '${dtypes[dtype].npy}', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const total = Math.ceil((10 + fields.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.from(`${MAGIC}\u0001\u0000\0\0${fields.padEnd(total - 11)}\n`, 'latin1');
  header.writeUInt16LE(total - 10, 8);
  return header;
}

function headerText(bytes: Uint8Array, path: string): { text: string; dataOffset: number } {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (frame.toString('latin1', 0, 6) !== MAGIC) throw notNpy(path, frame);
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

function dtypeOf(descr: PythonValue | undefined, path: string): Dtype {
  if (descr === undefined) throw damaged(path, "the header has no 'descr'");
  if (typeof descr !== 'string') {
    throw new MusterError('BAD_DATA', `${path} is a structured array`, {
      why: 'its elements are records; a matrix has numbers',
      fix: `save one field: np.save('${path}', a['name'].astype('<f4'))`,
    });
  }
  const [, order = '', type = ''] = /^([<>=|]?)(.*)$/s.exec(descr) ?? [];
  const known = (Object.keys(dtypes) as Dtype[]).find((dtype) => dtypes[dtype].npy.slice(1) === type);
  if (known === undefined) throw unsupportedDtype(descr, type, path);
  if (order === '>' && dtypes[known].bytes > 1) throw bigEndian(descr, known, path);
  return known;
}

/** NumPy's letters for types that hold numbers in a way that Muster does not multiply. */
const OTHER_TYPES: Readonly<Record<string, { name: string; to: string }>> = {
  f2: { name: 'float16', to: '<f4' },
  f16: { name: 'long double', to: '<f8' },
  b1: { name: 'bool', to: '|i1' },
  i2: { name: 'int16', to: '<f4' },
  i8: { name: 'int64', to: '<f8' },
  u1: { name: 'uint8', to: '<f4' },
  u2: { name: 'uint16', to: '<f4' },
  u4: { name: 'uint32', to: '<f8' },
  u8: { name: 'uint64', to: '<f8' },
};

function unsupportedDtype(descr: string, type: string, path: string): MusterError {
  if (type.startsWith('O')) {
    return new MusterError('BAD_DATA', `${path} holds Python objects`, {
      why: `its dtype is '${descr}', which only Python can read and which may run code when read`,
      fix: convert(path, '<f4'),
    });
  }
  const complex = type.startsWith('c');
  const { name, to } = OTHER_TYPES[type] ?? { name: complex ? 'complex' : 'not numeric', to: '<f4' };
  return new MusterError('BAD_DATA', `${path} has an element type that Muster does not multiply`, {
    why: `its dtype is '${descr}' (${name}); supported are ${SUPPORTED.join(', ')}`,
    fix: complex ? `np.save('${path}', a.real.astype('<f4'))` : convert(path, to),
  });
}

const bigEndian = (descr: string, dtype: Dtype, path: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is big-endian`, {
    why: `its dtype is '${descr}'; Muster reads little-endian files`,
    fix: convert(path, dtypes[dtype].npy),
  });

function shapeOf(shape: PythonValue | undefined, path: string): readonly [number, number] {
  if (!Array.isArray(shape) || !shape.every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw damaged(path, "the header has no valid 'shape'");
  }
  const [rows, columns] = shape as number[];
  if (rows === undefined || columns === undefined || shape.length > 2) throw notMatrix(shape.length, path);
  if (rows > 0 && columns > 0) return [rows, columns];
  throw new MusterError('BAD_DATA', `${path} is empty`, {
    why: `its shape is (${rows}, ${columns})`,
    fix: 'give a matrix with at least one row and one column',
  });
}

function notMatrix(dimensions: number, path: string): MusterError {
  return new MusterError('BAD_DATA', `${path} is not a matrix`, {
    why: `it has ${dimensions} ${dimensions === 1 ? 'dimension' : 'dimensions'}; a matrix has 2`,
    fix: `np.save('${path}', a.reshape(${dimensions < 2 ? '1, -1' : 'a.shape[0], -1'}))`,
  });
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

const convert = (path: string, to: string): string => `np.save('${path}', a.astype('${to}'))`;

const isOperandDtype = (dtype: Dtype): dtype is OperandDtype => (operandDtypes as readonly Dtype[]).includes(dtype);
