/** An invariant that does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function must(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new Violation(invariant);
}
