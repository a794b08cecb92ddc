const { sqrt } = Math;

/** Euclidean norm, summed in float64 in index order. */
export function globalNorm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    sum += value * value;
  }
  return sqrt(sum);
}

/**
 * Scales the gradient, in place, to a norm of `maxNorm` if it is larger (0: never); Pascanu et al. 2013.
 * @returns the norm before. If that is not finite the gradient is unchanged, and the caller must not step with it.
 */
export function clipByGlobalNorm(gradient: Float32Array, maxNorm: number): number {
  const norm = globalNorm(gradient);
  if (maxNorm > 0 && norm > maxNorm && norm < Infinity) scale(gradient, maxNorm / norm);
  return norm;
}

function scale(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i += 1) values[i]! *= factor;
}
