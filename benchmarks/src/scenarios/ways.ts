/** Ways from programs on this machine to a head on it, each with a cluster of its own. */
import { MusterError } from '@muster/shared';
import { routeToHead } from '@muster/shared/io';
import type { ClusterClient } from '@muster/user-client';
import { withCluster } from '../cluster.ts';

export type WayName = 'ipc' | 'plain, shared files' | 'CURVE' | 'plain';

export interface Way {
  readonly name: WayName;
  readonly insecure: boolean;
  readonly blocks: 'auto' | 'wire';
  readonly host: string;
  /** The way to compare with: operands move alike, and nothing is encrypted on TCP. Null if this is such a way. */
  readonly plain: WayName | null;
}

/**
 * 'ipc': what programs of the head's own account get; 'CURVE': what those on other machines get; for each the same without keys. 'plain,
 * shared files' uses another loopback address: the head there may not be the one that left sockets in the file system, so programs use
 * TCP but still share files. Only Linux listens on such an address without configuration.
 */
const ways: readonly Way[] = [
  { name: 'ipc', insecure: false, blocks: 'auto', host: '127.0.0.1', plain: 'plain, shared files' },
  { name: 'plain, shared files', insecure: true, blocks: 'auto', host: '127.0.0.2', plain: null },
  { name: 'CURVE', insecure: false, blocks: 'wire', host: '127.0.0.1', plain: 'plain' },
  { name: 'plain', insecure: true, blocks: 'wire', host: '127.0.0.1', plain: null },
];

/** Windows has no sockets in the file system. */
export function waysOf(platform: NodeJS.Platform): readonly Way[] {
  if (platform === 'linux') return ways;
  return ways.filter(({ name }) => name !== 'plain, shared files' && (name !== 'ipc' || platform !== 'win32'));
}

export interface OpenWay {
  readonly way: Way;
  readonly client: ClusterClient;
}

export interface WaysOptions {
  readonly providers: number;
  readonly signal: AbortSignal;
}

/** Opens all ways at once, so that measurements can take turns: an idle cluster costs next to nothing. */
export async function withWays<T>(options: WaysOptions, body: (open: readonly OpenWay[]) => Promise<T>): Promise<T> {
  return opened(waysOf(process.platform), [], { ...options, body });
}

interface Opening<T> extends WaysOptions {
  readonly body: (open: readonly OpenWay[]) => Promise<T>;
}

async function opened<T>([way, ...others]: readonly Way[], open: readonly OpenWay[], opening: Opening<T>): Promise<T> {
  if (way === undefined) return opening.body(open);
  const { providers, signal } = opening;
  const { blocks, host, insecure } = way;
  const headArguments = insecure ? ['--insecure'] : [];
  return withCluster({ providers, signal, blocks, host, headArguments }, async (client, { portBase }) => {
    await checkWay(way, { client, portBase });
    return opened(others, [...open, { way, client }], opening);
  });
}

/** Throws BUG if a figure would carry the wrong label, such as 'CURVE' without encryption or 'plain' over sockets in the file system. */
async function checkWay(way: Way, { client, portBase }: { client: ClusterClient; portBase: number }): Promise<void> {
  const { name, host, blocks } = way;
  const { curve, addresses } = routeToHead({ endpoint: { host, portBase }, wire: blocks === 'wire', membership: null });
  const protocol = addresses.tasks.slice(0, 3);
  const nodes = await client.nodes();
  const isRight =
    (curve !== null) === (name === 'CURVE') &&
    (protocol === 'ipc') === (name === 'ipc') &&
    nodes.every(({ sharesStore }) => sharesStore === (blocks === 'auto'));
  if (isRight) return;
  const files = nodes.map(({ sharesStore }) => (sharesStore ? 'shares files' : 'shares no files')).join(', ');
  throw new MusterError('BUG', `the way '${name}' is another one`, {
    why: `it is ${curve === null ? 'plain' : 'encrypted'} over ${protocol}; of the nodes: ${files}`,
  });
}
