/** Lengths of the axes, the outermost first; none of a scalar. */
export type Shape = readonly number[];

/** Exact up to 2^53; beyond it only rounded, so that a comparison with a limit stays right. */
export const elementCount = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);
