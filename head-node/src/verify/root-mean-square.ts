/** Sums of squares within these are exact enough; squares of float32 always are. */
const SAFE_MIN = 1e-200;
const SAFE_MAX = 1e300;

/** Of values[from] to values[to - 1]; not finite when, and only when, one of them is not. */
export function rootMeanSquare(values: ArrayLike<number>, from = 0, to = values.length): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += (values[at] as number) * (values[at] as number);
  if (sum > SAFE_MIN && sum < SAFE_MAX) return Math.sqrt(sum / (to - from));
  return scaledRootMeanSquare(values, from, to);
}

/** So that squares of very large or small float64 neither overflow nor vanish. */
function scaledRootMeanSquare(values: ArrayLike<number>, from: number, to: number): number {
  let largest = 0;
  for (let at = from; at < to; at++) largest = Math.max(largest, Math.abs(values[at] as number));
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let at = from; at < to; at++) sum += ((values[at] as number) / largest) ** 2;
  return largest * Math.sqrt(sum / (to - from));
}
