export interface Recovery {
  /** Time from the fault to useful work, as defined by the fault's `until`. */
  readonly ms: number;
  /** The same without the fault; null if nothing is compared. */
  readonly faultFreeMs: number | null;
}

/** One row of the fault matrix: how the fault is caused, and what counts as useful work after it. */
export interface Fault {
  readonly name: string;
  readonly until: string;
  /** null: no target, or one that is relative to the time without the fault. */
  readonly targetMs: number | null;
  /** Allowed extra time, as a share of the time without the fault; null if the target is not relative. */
  readonly slowdownMax: number | null;
  /** Why the fault cannot be caused on this machine; '' if it can. */
  readonly missing: () => string;
  /** Causes the fault once, on a cluster of its own. */
  readonly run: () => Promise<Recovery>;
}

export const everywhere = (): string => '';

export const recovered = (ms: number): Recovery => ({ ms, faultFreeMs: null });
