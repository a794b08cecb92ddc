/** No such queue, or none that works now: its home is down. */
export const NOT_FOUND = 404;

/** The broker's code when it has closed a channel for what was asked on it; undefined when the channel ended with its connection. */
export function channelErrorCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
