import { join } from 'node:path';
import { z } from 'zod';
import type { Endpoint } from '../protocol/channels.ts';
import { isKey } from '../trust/keys.ts';
import { roles } from '../trust/role.ts';
import { keyPairSchema, parsePrivate } from './key-file.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const endpoint = z.object({ host: z.string(), portBase: z.number().int() });

const schema = z.object({
  /** Name of the cluster, for display. */
  cluster: z.string(),
  headKey: z.string().refine(isKey),
  endpoints: z.array(endpoint).min(1),
  /** The head's name for this program's key. */
  identity: z.string(),
  role: z.enum(roles),
  keys: keyPairSchema,
});
/** What a program keeps about the head that it has joined; includes the secret key. */
export type Membership = z.infer<typeof schema>;

const fileIn = (stateDirectory: string): string => join(stateDirectory, 'membership.json');

export const saveMembership = (stateDirectory: string, membership: Membership): void =>
  writePrivateFile(fileIn(stateDirectory), `${JSON.stringify(membership)}\n`);

/** Null for a program that has joined no head. */
export function loadMembership(stateDirectory: string): Membership | null {
  const path = fileIn(stateDirectory);
  const text = readPrivateFile(path);
  return text === null ? null : parsePrivate({ path, text, schema });
}

export const endpointOf = ({ endpoints }: Membership): Endpoint => endpoints[0] as Endpoint;
