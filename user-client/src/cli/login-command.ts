import { expectJoinToken } from '@muster/shared/io';
import { login } from '../login.ts';
import type { Flags } from './flags.ts';
import { resolveConnection } from './run-options.ts';
import type { Session } from './session.ts';

/** `login [token]`: stores the membership and makes this cluster the default when no head is named. */
export async function logIn(token: string, flags: Flags, { terminal }: Session): Promise<void> {
  const line = expectJoinToken(token === '' ? undefined : token);
  const { host, portBase } = resolveConnection(flags);
  const { membership, approved } = await login(line, flags.head === undefined ? undefined : { host, portBase });
  const { cluster, identity, role } = membership;
  if (flags.json === true) return terminal.data(JSON.stringify({ cluster, identity, role, approved }));
  terminal.note(`logged in to ${cluster} as ${identity} (${role})`);
  if (!approved) terminal.note(`an admin must let you in: head-node node approve ${identity}`);
}
