import {
  inferElementBytes,
  MusterError,
  operandDtypes,
  parseMatrixMultSpec,
  productDtype,
  type InferPort,
  type InferSpec,
  type MatrixMultSpec,
  type OperandDtype,
  type TaskStatus,
} from '@muster/shared';
import { isMatrixRef, type OperandSide } from './operands/matrix-ref.ts';
import type { Operand } from './operands/matrix-blocks.ts';
import type { ResultShape } from './results/matrix-sink.ts';

export interface ProductOperands {
  /** m x k. */
  readonly a: Operand;
  /** k x n, of the same type. */
  readonly b: Operand;
  /** How the product is cut: 'auto' (the planner decides), '1d' by columns, '2d', or 'RxC'. */
  readonly grid?: string | undefined;
}

/** Throws SHAPE_MISMATCH, BAD_DATA, TOO_LARGE or USAGE for operands that cannot be multiplied. */
export function specOfProduct({ a, b, grid = 'auto' }: ProductOperands): MatrixMultSpec {
  checkRole(a, 'a');
  checkRole(b, 'b');
  if (a.columns !== b.rows) {
    throw new MusterError('SHAPE_MISMATCH', 'the inner dimensions differ', {
      why: `A is ${a.rows} x ${a.columns}, B is ${b.rows} x ${b.columns}: ${a.columns} is not ${b.rows}`,
      fix: 'give a B with as many rows as A has columns',
    });
  }
  if (a.dtype !== b.dtype) {
    throw new MusterError('BAD_DATA', 'the element types differ', {
      why: `A is ${a.dtype}, B is ${b.dtype}`,
      fix: `convert one: b.astype('${a.dtype}')`,
    });
  }
  return parseMatrixMultSpec({ m: a.rows, k: a.columns, n: b.columns, dtype: a.dtype, grid });
}

function checkRole(operand: Operand, role: OperandSide): void {
  if (!isMatrixRef(operand) || operand.role === role) return;
  throw new MusterError('USAGE', `a matrix that was put as '${operand.role}' cannot be operand '${role}'`, {
    fix: `putMatrix(source, '${role}')`,
  });
}

export const resultShape = ({ m, n, dtype }: MatrixMultSpec): ResultShape => ({
  rows: m,
  columns: n,
  dtype: productDtype(dtype),
});

/** Shape of a product's result, from the task's status. Throws USAGE for a task of another type. */
export function resultShapeOf({ taskId, task, shape, dtype }: TaskStatus): ResultShape {
  const [rows, , columns] = shape;
  if (rows !== undefined && columns !== undefined && isOperandDtype(dtype))
    return { rows, columns, dtype: productDtype(dtype) };
  throw new MusterError('USAGE', `task ${taskId} has no result to fetch`, {
    why: `it is of type '${task}'`,
    fix: 'user-client tasks ls',
  });
}

/** Number of rows and shape of an output row, from the status of an inference. Throws USAGE for a task of another type. */
export function rowShapeOf({
  taskId,
  task,
  shape: [rows = 0, ...shape],
  dtype,
}: TaskStatus): Pick<InferSpec, 'rows' | 'output'> {
  if (task === 'infer' && isInferDtype(dtype)) return { rows, output: { name: 'output', shape, dtype } };
  throw new MusterError('USAGE', `task ${taskId} is no inference`, {
    why: `it is of type '${task}'`,
    fix: 'user-client tasks ls',
  });
}

const isInferDtype = (dtype: string): dtype is InferPort['dtype'] => Object.hasOwn(inferElementBytes, dtype);

const isOperandDtype = (dtype: string): dtype is OperandDtype => (operandDtypes as readonly string[]).includes(dtype);
