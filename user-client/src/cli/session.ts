import { connectClient, type ClientOptions, type ClusterClient } from '../cluster-client.ts';
import { isMusterError, MusterError } from '@muster/shared';
import { takeJoinToken } from '@muster/shared/io';
import type { GivenUp } from '../cancellations.ts';
import { login } from '../login.ts';
import { membershipAt } from '../memberships.ts';
import type { Terminal } from './terminal.ts';

/** What a command gets besides its options. */
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
  } catch (error) {
    const givenUp = await client.close();
    throw signal.aborted ? interruptionOf(signal, givenUp) : error;
  } finally {
    await client.close();
  }
}

/** The interruption, with what became of the task on the head. */
function interruptionOf({ reason }: AbortSignal, { cancelled, unheard }: GivenUp): unknown {
  if (!isMusterError(reason)) return reason;
  const [task = cancelled[0]] = unheard;
  if (task === undefined) return reason;
  if (unheard.length === 0)
    return new MusterError('INTERRUPTED', reason.message, {
      why: `${reason.why}; task ${task} is stopped on the head, unless it had ended`,
      fix: 'add --detach to let a task go on without this terminal',
    });
  return new MusterError('INTERRUPTED', reason.message, {
    why: `${reason.why}; the head does not answer, so task ${task} may go on there`,
    fix: `user-client tasks cancel ${task}   when the head is back`,
  });
}

/** Logs in with a token from the environment, as in a container, unless this account has joined already. */
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
