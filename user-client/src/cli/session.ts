import { connectClient, type ClientOptions, type ClusterClient } from '../cluster-client.ts';
import { takeJoinToken } from '@muster/shared/io';
import { login } from '../login.ts';
import { membershipAt } from '../memberships.ts';
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
  await logInOnce(connection);
  const client = await connectClient({ ...connection, signal });
  try {
    return await untilAborted(act(client), signal);
  } finally {
    await client.close();
  }
}

/** By a token in the environment, as in a container, where nothing else says who we are. */
async function logInOnce({ host, portBase }: ClientOptions): Promise<void> {
  const endpoint = { host, portBase };
  const line = membershipAt(endpoint) === null ? takeJoinToken(undefined) : null;
  if (line !== null) await login(line, endpoint);
}

function untilAborted<T>(act: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    act.then(resolve, reject);
  });
}
