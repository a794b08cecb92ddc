import { connectClient, type ClientOptions, type ClusterClient } from '../cluster-client.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with besides its options. */
export interface Session {
  readonly terminal: Terminal;
  /** Aborts when the person interrupts; its reason is the INTERRUPTED error. */
  readonly signal: AbortSignal;
}

/** Connects, acts, and closes again, also when interrupted. */
export async function withClient<T>(
  connection: ClientOptions,
  { signal }: Session,
  act: (client: ClusterClient) => Promise<T>,
): Promise<T> {
  const client = await connectClient({ ...connection, signal });
  try {
    return await untilAborted(act(client), signal);
  } finally {
    await client.close();
  }
}

function untilAborted<T>(act: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    act.then(resolve, reject);
  });
}
