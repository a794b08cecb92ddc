import { MusterError, type InferPort } from '@muster/shared';

type InferDtype = InferPort['dtype'];

/** NumPy names of the element types of model inputs and outputs. */
export const npyDescr: Readonly<Record<InferDtype, string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  int8: '|i1',
  uint8: '|u1',
};

const inferDtypes = Object.keys(npyDescr) as InferDtype[];

/** Throws BAD_DATA, with the command that converts the file, for any other type. */
export function dtypeOfNpy(descr: string, path: string): InferDtype {
  const type = descr.replace(/^[<>=|]/, '');
  const dtype = inferDtypes.find((name) => npyDescr[name].slice(1) === type);
  if (dtype !== undefined && !(descr.startsWith('>') && dtype !== 'int8' && dtype !== 'uint8')) return dtype;
  throw new MusterError('BAD_DATA', `${path} has an element type that no model is given`, {
    why: `its dtype is '${descr}'; ${inferDtypes.join(', ')} are known, little-endian`,
    fix: `np.save('${path}', x.astype('<f4'))`,
  });
}
