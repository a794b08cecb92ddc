/** The name closest to `text`, at most two edits away (a swap counts as two); else undefined. */
export function closestOf<T extends string>(text: string, names: readonly T[]): T | undefined {
  const ranked = names
    .map((name) => ({ name, edits: editsBetween(text.toLowerCase().replaceAll('-', '_'), name) }))
    .toSorted((one, other) => one.edits - other.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= 2 ? best.name : undefined;
}

/** Levenshtein's distance, row by row. */
function editsBetween(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const changed = (above[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1);
      current.push(Math.min(changed, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[other.length] ?? 0;
}
