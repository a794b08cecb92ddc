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
  /** null: as long as without the fault, or nothing was promised. */
  readonly targetMs: number | null;
  /** Why it cannot be brought about on this machine; '' when it can. */
  readonly missing: () => string;
  /** Once, on a cluster of its own. */
  readonly run: () => Promise<Recovery>;
}

export const everywhere = (): string => '';

export const recovered = (ms: number): Recovery => ({ ms, faultFreeMs: null });
