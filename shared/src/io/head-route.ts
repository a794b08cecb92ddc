/** How a provider or client reaches its head, and with which credentials: decided only here. */
import { isIPv4, isIPv6 } from 'node:net';
import { MusterError } from '../errors.ts';
import { channels, tcpAddress, type Channel, type Endpoint } from '../protocol/channels.ts';
import { newKeyPair, sealBetween, type KeyPair } from '../trust/keys.ts';
import { readLocalCredential, type LocalCredential } from './local-credential.ts';
import type { Membership } from './membership-file.ts';

/** Options of a ZeroMQ socket that dials. */
export interface CurveOptions {
  readonly curveServerKey: string;
  readonly curvePublicKey: string;
  readonly curveSecretKey: string;
}

export interface HeadRoute {
  readonly addresses: Readonly<Record<Channel, string>>;
  /** Null: not encrypted, which is possible on this machine only. */
  readonly curve: CurveOptions | null;
  /** Seal that every message to the head carries (see `sealed`); '' on an unencrypted route. */
  readonly seal: string;
}

/** Options of every socket that dials the head. */
export const dialOptions = ({
  addresses,
  curve,
}: Pick<HeadRoute, 'addresses' | 'curve'>): Partial<CurveOptions> & { readonly ipv6: boolean } => ({
  ...curve,
  ipv6: Object.values(addresses).some((address) => address.startsWith('tcp://[')),
});

export interface RouteOptions {
  readonly endpoint: Endpoint;
  /** Use TCP even if the head left sockets in the file system. */
  readonly wire: boolean;
  readonly membership: Membership | null;
}

/**
 * On loopback: the credential that a head of this account left, else the membership, else a route that no head can answer: a credential may
 * appear later, and until then whoever listens on the port must learn nothing. On other hosts: the membership, else the key in a credential
 * left for the same port. Throws UNAUTHORIZED when there is neither.
 */
export function routeToHead({ endpoint, wire, membership }: RouteOptions): HeadRoute {
  const local = readLocalCredential(endpoint.portBase);
  if (isLoopback(endpoint.host)) {
    if (local !== null) return localRoute(local, endpoint, wire || !USUAL_LOOPBACK.includes(endpoint.host));
    return membership === null ? routeToNobody(endpoint) : memberRoute(membership, endpoint);
  }
  if (membership !== null) return memberRoute(membership, endpoint);
  if (local?.headKey == null) throw notJoined(endpoint);
  return curveRoute(endpoint, local.headKey, local.keys);
}

/** Other loopback addresses may lead to other programs, so they are dialled by TCP. */
const USUAL_LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

function localRoute({ ipc, headKey, keys }: LocalCredential, endpoint: Endpoint, wire: boolean): HeadRoute {
  if (ipc !== null && !wire) return { addresses: ipc, curve: null, seal: '' };
  return headKey === null ? plainRoute(endpoint) : curveRoute(endpoint, headKey, keys);
}

const memberRoute = ({ headKey, keys }: Membership, endpoint: Endpoint): HeadRoute =>
  curveRoute(endpoint, headKey, keys);

/** The head key is one that no head has: every handshake fails. */
const routeToNobody = (endpoint: Endpoint): HeadRoute => curveRoute(endpoint, NOBODY.publicKey, NOBODY);
const NOBODY = newKeyPair();

/** True for a program without any credentials for the head (`routeToNobody`). */
export const isStranger = (curve: CurveOptions | null): boolean => curve?.curveServerKey === NOBODY.publicKey;

const plainRoute = (endpoint: Endpoint): HeadRoute => ({ addresses: tcpAddresses(endpoint), curve: null, seal: '' });

/** With any key pair that the head knows, including that of a join token. */
export const curveRoute = (
  endpoint: Endpoint,
  headKey: string,
  { publicKey, secretKey }: KeyPair,
): HeadRoute & { readonly curve: CurveOptions } => ({
  addresses: tcpAddresses(endpoint),
  curve: { curveServerKey: headKey, curvePublicKey: publicKey, curveSecretKey: secretKey },
  seal: sealBetween(secretKey, headKey),
});

function tcpAddresses(endpoint: Endpoint): Record<Channel, string> {
  const names = Object.keys(channels) as Channel[];
  return Object.fromEntries(names.map((channel) => [channel, tcpAddress(endpoint, channel)])) as Record<
    Channel,
    string
  >;
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.')) || isMappedLoopback(host);

const isMappedLoopback = (host: string): boolean => isIPv6(host) && host.toLowerCase().startsWith('::ffff:127.');

export const sameRoute = (one: HeadRoute, other: HeadRoute): boolean => JSON.stringify(one) === JSON.stringify(other);

const notJoined = ({ host, portBase }: Endpoint): MusterError =>
  new MusterError('UNAUTHORIZED', `this machine has not joined the cluster of ${host}:${portBase}`, {
    why: 'there is no membership of it here, and nothing that a head of this account has left',
    fix: "on the head's machine: head-node token create; then paste the line that it prints here",
  });
