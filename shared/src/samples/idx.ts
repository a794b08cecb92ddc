/** The IDX format in which MNIST and its relatives come (yann.lecun.com/exdb/mnist): magic, sides as big-endian uint32, elements. */
import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';

/** Bytes only: every known data set in this format has them. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly elements: Uint8Array;
}

const UNSIGNED_BYTES = 0x08;
const DIMENSIONS_MAX = 4;
const OTHER_TYPES: Readonly<Record<number, string>> = {
  0x09: 'int8',
  0x0b: 'int16',
  0x0c: 'int32',
  0x0d: 'float32',
  0x0e: 'float64',
};

/** The array as a view of the file's bytes. Throws BAD_DATA for anything but a whole file; `path` only appears in the texts. */
export function parseIdx(bytes: Uint8Array, path: string): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dimensions = dimensionsOf(view, path);
  const start = 4 + 4 * dimensions;
  if (bytes.byteLength < start) throw truncated(path, start, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, at) => view.getUint32(4 + 4 * at));
  if (shape.includes(0)) throw badIdx(`${path} is empty`, `its shape is ${shape.join(' x ')}`);
  const end = start + elementCount(shape, path);
  if (bytes.byteLength < end) throw truncated(path, end, bytes.byteLength);
  if (bytes.byteLength > end)
    throw badIdx(`${path} has bytes behind its last element`, `${end} are needed, it has ${bytes.byteLength}`);
  // Not a Buffer: its `slice` is a view, not a copy.
  return { shape, elements: new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start) };
}

function dimensionsOf(view: DataView, path: string): number {
  const known = view.byteLength >= 4 && view.getUint16(0) === 0;
  const type = known ? view.getUint8(2) : 0;
  const dimensions = known ? view.getUint8(3) : 0;
  const name = OTHER_TYPES[type];
  if (name !== undefined) {
    throw new MusterError('BAD_DATA', `${path} has an element type that Muster does not read in this format`, {
      why: `its elements are ${name}; IDX files are read with uint8 elements`,
      fix: 'give the same array as a .npy file: np.save',
    });
  }
  if (type === UNSIGNED_BYTES && dimensions >= 1 && dimensions <= DIMENSIONS_MAX) return dimensions;
  const start = Buffer.from(view.buffer, view.byteOffset, Math.min(4, view.byteLength)).toString('hex');
  throw badIdx(
    `${path} is not an IDX file`,
    start === '' ? 'it is empty' : `it starts with ${start}; images start with 00000803, labels with 00000801`,
  );
}

/** Checked after each factor, so that forged sides cannot overflow the product. */
function elementCount(shape: readonly number[], path: string): number {
  let count = 1;
  for (const side of shape) {
    count *= side;
    if (count > limits.dataSetBytesMax.value) {
      throw new MusterError('TOO_LARGE', `${path} is too large`, {
        why: `it should have ${shape.join(' x ')} bytes, the limit is ${limits.dataSetBytesMax.value}`,
        fix: 'give fewer samples, or copy the file again if it is damaged',
      });
    }
  }
  return count;
}

const truncated = (path: string, expected: number, bytes: number): MusterError =>
  badIdx(`${path} is truncated`, `its header promises ${expected} bytes, it has ${bytes}`);

const badIdx = (what: string, why: string): MusterError =>
  new MusterError('BAD_DATA', what, { why, fix: 'copy the file again from where the data set comes from' });
