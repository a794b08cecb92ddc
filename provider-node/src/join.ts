import { readJoinToken, type Endpoint } from '@muster/shared';
import { enrol, loadKeyPair, makeStateDirectory, saveMembership } from '@muster/shared/io';
import { join } from 'node:path';
import { Request } from 'zeromq';
import { forgetBroker } from './io/given-broker.ts';
import { loadIdentity } from './io/identity.ts';
import { resolveProviderNodeOptions, type ProviderNodeOptions } from './options.ts';

/**
 * Joins the token's cluster and saves the membership in the state directory, after which the token is no longer needed. Returns a line
 * for people. Throws as `enrol` does. `found`: addresses to try before those in the token.
 */
export async function joinCluster(
  options: ProviderNodeOptions,
  line: string,
  found: readonly Endpoint[] = [],
): Promise<string> {
  const { stateDirectory, name, head: host, portBase } = resolveProviderNodeOptions(options);
  const at = options.head === undefined ? found : [{ host, portBase }, ...found];
  makeStateDirectory(stateDirectory);
  // Saved before enrolling, under the token's id: if the answer is lost, using the token again presents the same key.
  const keys = loadKeyPair(join(stateDirectory, `key-${readJoinToken(line).id}.json`));
  const provider = loadIdentity(stateDirectory);
  const { membership, approved } = await enrol(Request, line, { name, provider, keys, at });
  forgetBroker(stateDirectory);
  saveMembership(stateDirectory, membership);
  const { cluster, identity, role } = membership;
  const wait = approved ? '' : `; an admin must let it in: head-node node approve ${identity}`;
  return `enrolled with ${cluster} as ${identity} (${role})${wait}`;
}
