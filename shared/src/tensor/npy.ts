/** The `.npy` format, versions 1 to 3 (NumPy enhancement proposal 1 and `numpy/lib/_format_impl.py`), for matrices. */
import { MusterError } from '../errors.ts';
import { dtypes, operandDtypes, type Dtype, type OperandDtype } from './dtype.ts';
import { npyArrayHeader } from './npy-array-header.ts';
import { bigEndian, convert, descrText, readNpyFields } from './npy-fields.ts';
import type { PythonValue } from './python-literal.ts';

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

const SUPPORTED = operandDtypes.map((dtype) => `${dtype} (${dtypes[dtype].npy})`);

/**
 * Reads the header from the first bytes of a file (all of it, or NPY_HEADER_MAX_BYTES). Throws BAD_DATA with the command
 * that repairs the file; `path` only appears in the texts.
 */
export function parseNpyHeader(bytes: Uint8Array, path: string): NpyHeader {
  const { descr, shape, fortranOrder, dataOffset } = readNpyFields(bytes, path);
  return { dtype: dtypeOf(descr, path), shape: matrixShape(shape, path), fortranOrder, dataOffset };
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

/** The header of a matrix in C order. */
export const npyHeader = (dtype: Dtype, shape: readonly [number, number]): Buffer =>
  npyArrayHeader(dtypes[dtype].npy, shape);

function dtypeOf(descr: PythonValue | undefined, path: string): Dtype {
  const text = descrText(descr, path);
  const [, order = '', type = ''] = /^([<>=|]?)(.*)$/s.exec(text) ?? [];
  const known = (Object.keys(dtypes) as Dtype[]).find((dtype) => dtypes[dtype].npy.slice(1) === type);
  if (known === undefined) throw unsupportedDtype(text, type, path);
  if (order === '>' && dtypes[known].bytes > 1) throw bigEndian(text, dtypes[known].npy, path);
  return known;
}

/** NumPy's codes of numeric types that Muster does not multiply, and what to convert them to. */
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
  const complex = type.startsWith('c');
  const { name, to } = OTHER_TYPES[type] ?? { name: complex ? 'complex' : 'not numeric', to: '<f4' };
  return new MusterError('BAD_DATA', `${path} has an element type that Muster does not multiply`, {
    why: `its dtype is '${descr}' (${name}); supported are ${SUPPORTED.join(', ')}`,
    fix: complex ? `np.save('${path}', a.real.astype('<f4'))` : convert(path, to),
  });
}

function matrixShape(shape: readonly number[], path: string): readonly [number, number] {
  const [rows, columns] = shape;
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

const isOperandDtype = (dtype: Dtype): dtype is OperandDtype => (operandDtypes as readonly Dtype[]).includes(dtype);
