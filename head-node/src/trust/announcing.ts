import { isIP } from 'node:net';
import type { Logger } from '@muster/shared';
import { announce, isLoopback, type MdnsOptions } from '@muster/shared/io';
import { joinEndpoints } from './join-endpoints.ts';
import type { Trust } from './trust.ts';

export interface AnnouncingOptions {
  readonly host: string;
  readonly portBase: number;
  readonly announce: boolean;
  readonly logger: Logger;
}

/**
 * Announces the head on the local network, unless it listens on loopback only. Returns a function that ends that. A failure is only logged:
 * joining by address works without it.
 */
export async function announceHead(
  { host, portBase, announce: isWanted, logger }: AnnouncingOptions,
  { cluster, keys }: Pick<Trust, 'cluster' | 'keys'>,
  mdns: MdnsOptions = {},
): Promise<() => Promise<void>> {
  if (!isWanted || isLoopback(host)) return () => Promise.resolve();
  const hosts = joinEndpoints({ host, portBase }).map(({ host: each }) => each);
  const head = { cluster, headKey: keys.publicKey, hosts: hosts.filter((each) => isIP(each) !== 0), portBase };
  const onError = (error: Error): void =>
    logger.warn({ why: error.message }, 'the local network is not told of this head');
  return announce(head, onError, mdns);
}
