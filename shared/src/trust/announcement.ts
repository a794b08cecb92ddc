/**
 * What a head announces on the local network, and which announcements match a token. They are not authenticated, so they only yield
 * addresses to try: a head without the key that the token names cannot finish the handshake.
 */
import { PORT_BASE_RANGE, type Endpoint } from '../protocol/channels.ts';
import { limits } from '../protocol/limits.ts';
import type { JoinToken } from './join-token.ts';
import { fingerprintOf } from './keys.ts';

const VERSION = '1';
/** One string of a TXT record. */
const TEXT_BYTES_MAX = 255;

export interface Announced {
  /** Name by which people tell several heads of a network apart. */
  readonly cluster: string;
  /** CURVE public key, Z85. */
  readonly headKey: string;
  /** Addresses, the best first. */
  readonly hosts: readonly string[];
}

/** Fields of the TXT record. */
export function announcementText({ cluster, headKey, hosts }: Announced): Record<string, string> {
  let text = '';
  for (const host of hosts)
    if (`hosts=${text},${host}`.length <= TEXT_BYTES_MAX) text += text === '' ? host : `,${host}`;
  return { v: VERSION, cluster, key: fingerprintOf(headKey), hosts: text };
}

/** An announcement as received, unchecked. */
export interface Sighting {
  readonly text: Readonly<Record<string, unknown>>;
  readonly port: number;
  /** Address that it came from. */
  readonly from: string;
}

export interface FoundHead {
  readonly cluster: string;
  /** Fingerprint of the head's key. */
  readonly fingerprint: string;
  readonly endpoints: readonly Endpoint[];
}

/** Null unless it is a valid announcement of this version. */
export function readSighting({ text, port, from }: Sighting, isAddress: (host: string) => boolean): FoundHead | null {
  const { v, cluster, key, hosts = '' } = text;
  if (v !== VERSION || typeof cluster !== 'string' || typeof key !== 'string' || typeof hosts !== 'string') return null;
  if (!/^[a-z-]{1,64}$/.test(cluster) || !/^[\da-f]{16}$/.test(key) || port < 1 || port > PORT_BASE_RANGE[1])
    return null;
  const all = [...hosts.split(','), from].filter((host, at, list) => isAddress(host) && list.indexOf(host) === at);
  const endpoints = all.slice(0, limits.joinAddressesMax.value).map((host) => ({ host, portBase: port }));
  return endpoints.length === 0 ? null : { cluster, fingerprint: key, endpoints };
}

export const isHeadOf = ({ headKey }: Pick<JoinToken, 'headKey'>, { fingerprint }: FoundHead): boolean =>
  fingerprint === fingerprintOf(headKey);

/** Addresses at which these announcements claim to have the head of the token. Heads of other clusters are passed over. */
export function endpointsFor(token: Pick<JoinToken, 'headKey'>, found: readonly FoundHead[]): Endpoint[] {
  const all = found.filter((head) => isHeadOf(token, head)).flatMap(({ endpoints }) => endpoints);
  return all.slice(0, limits.joinAddressesMax.value);
}
