/** The bytes that are present, as sorted disjoint ranges [from, to, from, to, ...), ends exclusive. */
export type ByteRangeSet = readonly number[];

/** With [from, to) added; ranges that touch become one. */
export function addByteRange(ranges: ByteRangeSet, from: number, to: number): ByteRangeSet {
  if (from >= to) return ranges;
  // In order, as nearly always: the last range grows.
  if (ranges.length === 2 && ranges[1] === from) return [ranges[0] as number, to];
  const before: number[] = [];
  const after: number[] = [];
  let merged: [number, number] = [from, to];
  for (let at = 0; at < ranges.length; at += 2) {
    const [start, end] = [ranges[at] as number, ranges[at + 1] as number];
    if (end < merged[0]) before.push(start, end);
    else if (start > merged[1]) after.push(start, end);
    else merged = [Math.min(start, merged[0]), Math.max(end, merged[1])];
  }
  return [...before, ...merged, ...after];
}

export const coversAll = (ranges: ByteRangeSet, total: number): boolean =>
  total === 0 || (ranges.length === 2 && ranges[0] === 0 && ranges[1] === total);
