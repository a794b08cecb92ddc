/** No such queue, or its home node is down. */
export const NOT_FOUND = 404;

/** AMQP reply code if the broker closed the channel because of a request; undefined if it ended with its connection. */
export function channelErrorCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
