export interface Backoff {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/**
 * Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): a delay in
 * (half, whole] of `firstMs * factor^(attempt - 1)`, so that many peers that failed together do not return together.
 */
export function backoffMs({ firstMs, factor, maxMs }: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(maxMs, firstMs * factor ** (attempt - 1));
  return ceiling * (0.5 + random / 2);
}
