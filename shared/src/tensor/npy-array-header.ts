import { NPY_MAGIC } from './npy-fields.ts';

const ALIGNMENT = 64;

/**
 * A version 1 header for elements in C order; its length is a multiple of 64, so that elements stay aligned when mapped. `descr`
 * is NumPy's name of the element type.
 */
export function npyArrayHeader(descr: string, shape: readonly number[]): Buffer {
  // A tuple of one element needs its comma.
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const fields = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sides}), }`;
  const total = Math.ceil((10 + fields.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.from(`${NPY_MAGIC}\u0001\u0000\0\0${fields.padEnd(total - 11)}\n`, 'latin1');
  header.writeUInt16LE(total - 10, 8);
  return header;
}
