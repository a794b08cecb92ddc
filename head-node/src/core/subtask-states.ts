/**
 * The life of a subtask:
 *
 *   blocked   an operand block that it reads is not in the store yet
 *   pending   may be leased
 *   leased    at least one provider works on it
 *   checking  a result is here and is being verified
 *   accepted  one verified result is kept; later ones are duplicates
 *
 * One byte each, because a task may have ten million.
 */
export const subtaskState = { blocked: 0, pending: 1, leased: 2, checking: 3, accepted: 4 } as const;
export type SubtaskState = (typeof subtaskState)[keyof typeof subtaskState];

const { blocked, pending, leased, checking, accepted } = subtaskState;

/**
 * Legal moves. `pending -> checking`: a provider that had been given up delivered after all. `checking -> leased`: the result
 * was wrong, and another node is at it already.
 */
const moves: Readonly<Record<SubtaskState, readonly SubtaskState[]>> = {
  [blocked]: [pending],
  [pending]: [leased, checking],
  [leased]: [pending, checking],
  [checking]: [pending, leased, accepted],
  [accepted]: [],
};

export class SubtaskStates {
  readonly #states: Uint8Array;
  #acceptedCount = 0;

  constructor(count: number, initial: SubtaskState) {
    this.#states = new Uint8Array(count).fill(initial);
  }

  get count(): number {
    return this.#states.length;
  }

  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  at(index: number): SubtaskState {
    return (this.#states[index] ?? blocked) as SubtaskState;
  }

  move(index: number, to: SubtaskState): void {
    const from = this.at(index);
    if (!moves[from].includes(to))
      throw new Error(`illegal move of subtask ${index}: ${nameOf(from)} -> ${nameOf(to)}`);
    this.#states[index] = to;
    if (to === accepted) this.#acceptedCount += 1;
  }

  /** A restored subtask: accepted in an earlier life of the head. */
  restore(index: number): void {
    if (this.at(index) === accepted) return;
    this.#states[index] = accepted;
    this.#acceptedCount += 1;
  }
}

const nameOf = (state: SubtaskState): string =>
  Object.entries(subtaskState).find(([, value]) => value === state)?.[0] ?? String(state);
