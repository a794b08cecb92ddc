import { expectJoinToken, enrol } from '@muster/shared/io';
import { hostname, userInfo } from 'node:os';
import { Request } from 'zeromq';
import { rememberMembership } from '../memberships.ts';
import type { Flags } from './flags.ts';
import type { Session } from './session.ts';

/** `login [token]`: from then on this account is known to that cluster, which is meant when no other is named. */
export async function login(token: string, { json }: Flags, { terminal }: Session): Promise<void> {
  const line = expectJoinToken(token === '' ? undefined : token);
  const name = `${userInfo().username}@${hostname()}`.slice(0, 64);
  const { membership, approved } = await enrol(Request, line, { name, provider: '' });
  rememberMembership(membership);
  const { cluster, identity, role } = membership;
  if (json === true) return terminal.data(JSON.stringify({ cluster, identity, role, approved }));
  terminal.note(`logged in to ${cluster} as ${identity} (${role})`);
  if (!approved) terminal.note(`an admin must let you in: head-node node approve ${identity}`);
}
