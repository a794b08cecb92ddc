import { MusterError } from '@muster/shared';
import { isLoopback } from '@muster/shared/io';
import { credentials, type Options } from 'amqplib';
import { brokerAddress, parseBrokerUrl } from './broker-url.ts';

/** For `amqps://` and `https://`, as PEM. */
export interface BrokerTls {
  /** Of the authority that signed the broker's certificate; without it, those that Node trusts. */
  readonly ca?: string;
  /** Shown to the broker, with its key; where the URL names no user, it is who we are (SASL EXTERNAL). */
  readonly cert?: string;
  readonly key?: string;
}

/** Where the broker is, and what it takes to be let in. */
export interface BrokerAccess {
  readonly address: Options.Connect;
  /** Options of the socket, and of who we are. */
  readonly socket: BrokerTls & { readonly credentials?: ReturnType<typeof credentials.external> };
  /** As the broker knows us; undefined where our certificate says it. */
  readonly user: string | undefined;
}

/** RabbitMQ makes this user with a password that everybody knows. Its own default refuses it from outside as well, but can be turned off. */
const DEFAULT_USER = 'guest';

/** `user`: '' where none is named, which RabbitMQ's clients take for `guest`. */
export const isGuestOutside = (user: string, host: string): boolean =>
  (user === '' || user === DEFAULT_USER) && !isLoopback(host.replaceAll(/[[\]]/g, ''));

/** Throws BACKBONE_REFUSED for what is no address, and for `guest` anywhere but on this machine. */
export function brokerAccess(url: string, tls: BrokerTls = {}): BrokerAccess {
  const address = parseBrokerUrl(url);
  if (address.username === undefined && tls.cert !== undefined)
    return { address, socket: { ...tls, credentials: credentials.external() }, user: undefined };
  if (isGuestOutside(address.username ?? '', address.hostname ?? '')) throw guestOutside(address);
  return { address, socket: tls, user: address.username ?? DEFAULT_USER };
}

const guestOutside = (address: Options.Connect): MusterError =>
  new MusterError('BACKBONE_REFUSED', "the backbone's user guest is for its own machine only", {
    why: `${brokerAddress(address)} is another one, and ${address.username === undefined ? 'the URL names no user' : 'guest has a password that everybody knows'}`,
    fix: 'AMQP_URL=amqp://USER:PASSWORD@HOST/VHOST with a user of its own: rabbitmqctl add_user',
  });
