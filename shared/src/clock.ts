/** Monotonic milliseconds. Wall-clock time is never used for a timeout: it jumps. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => performance.now() };
