/** sum[i] += term[i], in float32. */
export function accumulate(sum: Float32Array, term: Float32Array): void {
  for (let i = 0; i < sum.length; i += 1) sum[i]! += term[i]!;
}
