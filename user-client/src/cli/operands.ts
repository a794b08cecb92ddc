import { MusterError, type OperandDtype } from '@muster/shared';
import type { MatrixSource } from '../operands/matrix-source.ts';
import { NpyMatrixFile } from '../operands/npy-matrix-file.ts';
import { RandomMatrix } from '../operands/random-matrix.ts';
import { dtypes } from '@muster/shared';
import type { OperandChoice } from './options/product-run.ts';

export interface OperandPair {
  readonly a: MatrixSource;
  readonly b: MatrixSource;
  close(): void;
}

/** Opens files and checks everything that can be checked before the head is contacted. */
export function openOperands(choice: OperandChoice): OperandPair {
  if (choice.kind === 'files') return openFiles(choice);
  const { size, seed, dtype } = choice;
  const shaped = { rows: size, columns: size, dtype };
  return { a: new RandomMatrix(seed, shaped), b: new RandomMatrix(~seed, shaped), close: () => undefined };
}

function openFiles({ a: pathA, b: pathB, dtype }: OperandChoice & { kind: 'files' }): OperandPair {
  const a = NpyMatrixFile.open(pathA);
  try {
    const b = NpyMatrixFile.open(pathB);
    const close = (): void => {
      a.close();
      b.close();
    };
    try {
      checkTypes(a, b, dtype);
      return { a, b, close };
    } catch (error) {
      b.close();
      throw error;
    }
  } catch (error) {
    a.close();
    throw error;
  }
}

function checkTypes(a: NpyMatrixFile, b: NpyMatrixFile, wanted: OperandDtype | undefined): void {
  if (wanted === undefined && a.dtype === b.dtype) return;
  const target = wanted ?? a.dtype;
  const odd = [a, b].find(({ dtype }) => dtype !== target);
  if (odd === undefined) return;
  const cast = `python3 -c "import numpy as np; np.save('${odd.path}', np.load('${odd.path}').astype('${dtypes[target].npy}'))"`;
  throw new MusterError(
    'BAD_DATA',
    wanted === undefined ? 'the element types differ' : `${odd.path} is not ${wanted}`,
    {
      why: `${a.path} is ${a.dtype}, ${b.path} is ${b.dtype}${wanted === undefined ? '' : `, --dtype says ${wanted}`}`,
      fix: cast,
    },
  );
}
