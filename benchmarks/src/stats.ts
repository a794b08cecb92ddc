/** Nearest rank: the smallest sample that at least `share` (0 to 1) of the samples do not exceed. NaN for no samples. */
export function percentile(samples: readonly number[], share: number): number {
  const ascending = samples.toSorted((one, other) => one - other);
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN;
}

/** The middle sample, or the mean of the two in the middle. NaN for no samples. */
export function median(samples: readonly number[]): number {
  const ascending = samples.toSorted((one, other) => one - other);
  const upper = ascending[ascending.length >> 1] ?? Number.NaN;
  const lower = ascending[(ascending.length - 1) >> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The sample whose `key` is the median (the lower one of two). Throws RangeError without samples. */
export function medianBy<T>(samples: readonly T[], key: (sample: T) => number): T {
  const ascending = samples.toSorted((one, other) => key(one) - key(other));
  const middle = ascending[(ascending.length - 1) >> 1];
  if (middle === undefined) throw new RangeError('no samples have no median');
  return middle;
}
