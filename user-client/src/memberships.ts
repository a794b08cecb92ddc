/** The clusters that this account has logged in to, each in a folder of its own, so that several on one network are kept apart. */
import { fingerprintOf, type Endpoint } from '@muster/shared';
import {
  defaultStateDirectory,
  loadMembership,
  readPrivateFile,
  saveMembership,
  writePrivateFile,
  type Membership,
} from '@muster/shared/io';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = (): string => defaultStateDirectory('client');
const currentFile = (): string => join(folder(), 'current');

/** Stores the membership and makes its cluster the default. */
export function rememberMembership(membership: Membership): void {
  const name = fingerprintOf(membership.headKey);
  saveMembership(join(folder(), name), membership);
  writePrivateFile(currentFile(), name);
}

/** The membership of the latest login; null when there was none. */
export function currentMembership(): Membership | null {
  const name = readPrivateFile(currentFile())?.trim();
  return name === undefined ? null : loadMembership(join(folder(), name));
}

/** The membership for the head at this address; null if it was not joined. */
export function membershipAt({ host, portBase }: Endpoint): Membership | null {
  if (!existsSync(folder())) return null;
  const entries = readdirSync(folder(), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const all = entries.map(({ name }) => loadMembership(join(folder(), name)));
  const isHere = (other: Endpoint): boolean => other.host === host && other.portBase === portBase;
  return all.find((found) => found?.endpoints.some(isHere) === true) ?? null;
}
