/**
 * What a head says of itself on the local network, and which of such words concern a token. Anybody can say anything there, so nothing of
 * it is believed: it is an address to try, and a head that has not the key in the token cannot finish the handshake.
 */
import { PORT_BASE_RANGE, type Endpoint } from '../protocol/channels.ts';
import { limits } from '../protocol/limits.ts';
import type { JoinToken } from './join-token.ts';
import { fingerprintOf } from './keys.ts';

const VERSION = '1';
/** One string of a TXT record. */
const TEXT_BYTES_MAX = 255;

export interface Announced {
  /** For people: who has two heads, or whose neighbour has one, tells them apart by it. */
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

/** As it came: from whom, and what it says. */
export interface Sighting {
  readonly text: Readonly<Record<string, unknown>>;
  readonly port: number;
  /** Address that it came from. */
  readonly from: string;
}

export interface FoundHead {
  readonly cluster: string;
  /** Of the head's key. */
  readonly fingerprint: string;
  readonly endpoints: readonly Endpoint[];
}

/** Null for what no head of ours says. */
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

/** Where the head of this token may be, if one of these is it. Heads of other clusters are passed over. */
export function endpointsFor(token: Pick<JoinToken, 'headKey'>, found: readonly FoundHead[]): Endpoint[] {
  const all = found.filter((head) => isHeadOf(token, head)).flatMap(({ endpoints }) => endpoints);
  return all.slice(0, limits.joinAddressesMax.value);
}
