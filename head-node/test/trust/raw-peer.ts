/** A peer that speaks ZeroMQ as it likes: with any key or none, any message to any port. */
import {
  decode,
  encode,
  sealBetween,
  sealed,
  tcpAddress,
  type Channel,
  type Endpoint,
  type Fields,
  type KeyPair,
  type Message,
  type MessageType,
} from '@muster/shared';
import { firstHandshake } from '@muster/shared/io';
import { Dealer, Push, Request, Subscriber } from 'zeromq';

const sockets = {
  registration: Request,
  tasks: Subscriber,
  results: Push,
  heartbeats: Request,
  clients: Dealer,
} as const;

type Sockets = { readonly [C in keyof typeof sockets]: InstanceType<(typeof sockets)[C]> };

export interface Keys {
  readonly own: KeyPair;
  readonly head: string;
}

const open: { close(): void }[] = [];

/** For `afterEach`. */
export function closeRawPeers(): void {
  for (const socket of open.splice(0)) socket.close();
}

/** Null keys: without CURVE. */
export function dial<C extends Channel>(endpoint: Endpoint, channel: C, keys: Keys | null): Sockets[C] {
  const curve =
    keys === null
      ? {}
      : { curveServerKey: keys.head, curvePublicKey: keys.own.publicKey, curveSecretKey: keys.own.secretKey };
  const socket = new sockets[channel]({ linger: 0, ...curve }) as Sockets[C];
  open.push(socket);
  return socket;
}

/** How the first handshake on this port ends: 'handshake', or the kind of the failure. */
export async function handshakeOf(endpoint: Endpoint, channel: Channel, keys: Keys | null): Promise<string> {
  const socket = dial(endpoint, channel, keys);
  const verdict = firstHandshake(socket.events);
  socket.connect(tcpAddress(endpoint, channel));
  return verdict;
}

export interface Saying<T extends MessageType> {
  readonly type: T;
  readonly fields: Fields<T>;
  /** 16 hex digits; that of the keys if it is not given. */
  readonly seal?: string;
  readonly payload?: Uint8Array;
}

export const frameOf = <T extends MessageType>({ type, fields, seal }: Saying<T>, { own, head }: Keys): Buffer =>
  sealed(encode(type, fields), seal ?? sealBetween(own.secretKey, head));

/** The head's answer on a port that answers. */
export async function ask<T extends MessageType>(
  endpoint: Endpoint,
  channel: 'registration' | 'heartbeats' | 'clients',
  { keys, ...saying }: Saying<T> & { readonly keys: Keys },
): Promise<Message> {
  const socket = dial(endpoint, channel, keys);
  socket.receiveTimeout = 5000;
  socket.connect(tcpAddress(endpoint, channel));
  await socket.send(frameOf(saying, keys));
  return decode(await socket.receive()).message;
}
