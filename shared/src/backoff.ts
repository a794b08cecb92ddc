export interface Backoff {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/**
 * Exponential back-off with equal jitter (Brooker, "Exponential Backoff And Jitter", 2015), so that many peers that failed together do
 * not return together: a delay in [half, whole) of `firstMs * factor^(attempt - 1)`, at most `maxMs`. `random` is in [0, 1).
 */
export function backoffMs({ firstMs, factor, maxMs }: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(maxMs, firstMs * factor ** (attempt - 1));
  return ceiling * (0.5 + random / 2);
}
