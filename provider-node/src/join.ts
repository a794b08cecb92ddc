import { readJoinToken, type Endpoint } from '@muster/shared';
import { enrol, loadKeyPair, makeStateDirectory, saveMembership } from '@muster/shared/io';
import { join } from 'node:path';
import { Request } from 'zeromq';
import { forgetBroker } from './io/given-broker.ts';
import { loadIdentity } from './io/identity.ts';
import { resolveProviderNodeOptions, type ProviderNodeOptions } from './options.ts';

/**
 * Joins the cluster of a token and remembers it in the state directory: from then on the token is not needed. Returns a line for people.
 * Throws what `enrol` throws. `found`: where the head may be, beside the addresses in the token.
 */
export async function joinCluster(
  options: ProviderNodeOptions,
  line: string,
  found: readonly Endpoint[] = [],
): Promise<string> {
  const { stateDirectory, name, head: host, portBase } = resolveProviderNodeOptions(options);
  const at = options.head === undefined ? found : [{ host, portBase }, ...found];
  makeStateDirectory(stateDirectory);
  // On disk before it is enrolled, and the same when the answer was lost and the token is used again.
  const keys = loadKeyPair(join(stateDirectory, `key-${readJoinToken(line).id}.json`));
  const provider = loadIdentity(stateDirectory);
  const { membership, approved } = await enrol(Request, line, { name, provider, keys, at });
  forgetBroker(stateDirectory);
  saveMembership(stateDirectory, membership);
  const { cluster, identity, role } = membership;
  const wait = approved ? '' : `; an admin must let it in: head-node node approve ${identity}`;
  return `enrolled with ${cluster} as ${identity} (${role})${wait}`;
}
