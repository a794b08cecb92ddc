import {
  descrText,
  elementCount,
  inferElementBytes,
  MusterError,
  NPY_HEADER_MAX_BYTES,
  readNpyFields,
} from '@muster/shared';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fileError } from '../file-error.ts';
import { dtypeOfNpy } from './npy-dtypes.ts';
import type { RowSource } from './row-source.ts';

type Header = Pick<RowSource, 'rows' | 'shape' | 'dtype'> & { readonly dataOffset: number };

/**
 * The rows of a `.npy` file in C order, along its first dimension. Read block by block, never held as a whole. The file must not change
 * until it is closed.
 */
export class NpyRowFile implements RowSource {
  readonly path: string;
  readonly rows: number;
  readonly shape: readonly number[];
  readonly dtype: RowSource['dtype'];
  readonly #fd: number;
  readonly #dataOffset: number;

  private constructor(path: string, fd: number, header: Header) {
    this.path = path;
    this.#fd = fd;
    ({ rows: this.rows, shape: this.shape, dtype: this.dtype, dataOffset: this.#dataOffset } = header);
  }

  /** Throws BAD_DATA for a file that is missing, damaged, truncated, in Fortran order or of an unsupported type. */
  static open(path: string): NpyRowFile {
    const fd = attempt(path, () => openSync(path, 'r'));
    try {
      return new NpyRowFile(path, fd, readHeader(fd, path));
    } catch (error) {
      closeSync(fd);
      throw fileError(error, `${path} cannot be read`);
    }
  }

  readRows(from: number, _to: number, into: Uint8Array): void {
    const rowBytes = elementCount(this.shape) * inferElementBytes[this.dtype];
    const start = this.#dataOffset + from * rowBytes;
    for (let done = 0; done < into.length;) {
      const read = attempt(this.path, () => readSync(this.#fd, into, done, into.length - done, start + done));
      if (read === 0) throw new MusterError('BAD_DATA', `${this.path} became shorter while it was read`);
      done += read;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function readHeader(fd: number, path: string): Header {
  const start = new Uint8Array(NPY_HEADER_MAX_BYTES);
  const fields = readNpyFields(start.subarray(0, readSync(fd, start, 0, start.length, 0)), path);
  const dtype = dtypeOfNpy(descrText(fields.descr, path), path);
  const [rows, ...shape] = fields.shape;
  if (rows === undefined || fields.shape.includes(0)) throw noRows(path, fields.shape);
  if (fields.fortranOrder && shape.length > 0) throw fortran(path);
  const bytes = elementCount(fields.shape) * inferElementBytes[dtype];
  checkLength({ expected: fields.dataOffset + bytes, found: fstatSync(fd).size }, path);
  return { rows, shape, dtype, dataOffset: fields.dataOffset };
}

const noRows = (path: string, shape: readonly number[]): MusterError =>
  new MusterError('BAD_DATA', `${path} has no rows`, {
    why: `its shape is (${shape.join(', ')})`,
    fix: 'give an array whose first dimension counts the rows',
  });

const fortran = (path: string): MusterError =>
  new MusterError('BAD_DATA', `${path} is in Fortran order`, {
    why: 'a row does not lie in one piece',
    fix: `np.save('${path}', np.ascontiguousarray(x))`,
  });

function checkLength({ expected, found }: { expected: number; found: number }, path: string): void {
  if (found === expected) return;
  throw new MusterError(
    'BAD_DATA',
    `${path} ${found < expected ? 'is truncated' : 'has bytes behind its last element'}`,
    {
      why: `its header promises ${expected} bytes, the file has ${found}`,
      fix: `write or copy the file again: np.save('${path}', x)`,
    },
  );
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(error, `${path} cannot be read`);
  }
}
