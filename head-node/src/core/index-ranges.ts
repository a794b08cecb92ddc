/** Sets of subtask indices as flat ranges [from, to, from, to, ...), ends excluded: how they travel and are journalled. */

/** Ascending indices to ranges. */
export function toRanges(indices: readonly number[]): number[] {
  const ranges: number[] = [];
  for (const index of indices) {
    if (ranges.at(-1) === index) ranges[ranges.length - 1] = index + 1;
    else ranges.push(index, index + 1);
  }
  return ranges;
}

export function fromRanges(ranges: readonly number[]): number[] {
  const indices: number[] = [];
  for (let i = 0; i + 1 < ranges.length; i += 2) {
    for (let index = ranges[i] ?? 0; index < (ranges[i + 1] ?? 0); index += 1) indices.push(index);
  }
  return indices;
}
