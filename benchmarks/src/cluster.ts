import { MusterError } from '@muster/shared';
import { LocalCluster, waitUntil } from '@muster/shared/testkit';
import { connectClient, type ClusterClient } from '@muster/user-client';

export interface ClusterOptions {
  readonly providers: number;
  /** 'auto': operands and results through files that all share; 'wire': through sockets, as between machines. */
  readonly blocks: 'auto' | 'wire';
  /** Broker of head and providers; none by default. */
  readonly amqpUrl?: string;
  readonly headArguments?: readonly string[];
  /** Address on which the head listens and which the others dial; 127.0.0.1 by default. */
  readonly host?: string;
  readonly signal: AbortSignal;
}

/** Starts real processes on this machine, each provider with one thread. They are gone when this resolves or rejects. */
export async function withCluster<T>(
  options: ClusterOptions,
  body: (client: ClusterClient, cluster: LocalCluster) => Promise<T>,
): Promise<T> {
  const { providers, blocks, amqpUrl, host = '127.0.0.1', signal } = options;
  signal.throwIfAborted();
  const cluster = await LocalCluster.start({
    providers,
    signal,
    headArguments: ['--log-level', 'error', '--host', host, ...(options.headArguments ?? [])],
    providerArguments: ['--head', host, '--threads', '1', '--device', 'cpu', '--blocks', blocks],
    ...(amqpUrl !== undefined && { env: { AMQP_URL: amqpUrl } }),
  });
  try {
    return await withClient({ host, portBase: cluster.portBase, blocks, signal }, async (client) => {
      await waitUntil(async () => (await client.readyNodes()) >= providers, { what: `${providers} nodes are ready` });
      checkStore(client, blocks);
      return body(client, cluster);
    });
  } finally {
    await cluster.stop();
  }
}

async function withClient<T>(
  options: Parameters<typeof connectClient>[0],
  body: (client: ClusterClient) => Promise<T>,
): Promise<T> {
  const client = await connectClient(options);
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}

/** Throws BUG if a figure for shared files would be measured over sockets, or the other way round. */
function checkStore({ sharesStore }: ClusterClient, blocks: 'auto' | 'wire'): void {
  if (sharesStore === (blocks === 'auto')) return;
  throw new MusterError('BUG', `the client ${sharesStore ? 'shares' : 'does not share'} the head's files`, {
    why: `it was started with blocks '${blocks}'`,
  });
}
