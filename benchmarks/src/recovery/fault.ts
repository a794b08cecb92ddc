export interface Recovery {
  /** From the fault to useful work, as the fault's `until` says. */
  readonly ms: number;
  /** The same without the fault; null where nothing is compared. */
  readonly faultFreeMs: number | null;
}

/** One row of the fault matrix: how it is brought about, and what counts as useful work after it. */
export interface Fault {
  readonly name: string;
  readonly until: string;
  /** null: nothing was promised, or something about the time without the fault. */
  readonly targetMs: number | null;
  /** How much longer than without the fault it may take, as a share of that; null where that is not what was promised. */
  readonly slowdownMax: number | null;
  /** Why it cannot be brought about on this machine; '' when it can. */
  readonly missing: () => string;
  /** Once, on a cluster of its own. */
  readonly run: () => Promise<Recovery>;
}

export const everywhere = (): string => '';

export const recovered = (ms: number): Recovery => ({ ms, faultFreeMs: null });
