import { MusterError } from '@muster/shared';
import { isLoopback } from '@muster/shared/io';
import { credentials, type Options } from 'amqplib';
import { brokerAddress, parseBrokerUrl } from './broker-url.ts';

/** For `amqps://` and `https://`, as PEM. */
export interface BrokerTls {
  /** Certificate of the authority that signed the broker's; default: the authorities that Node trusts. */
  readonly ca?: string;
  /** Client certificate. If the URL names no user, it identifies us (SASL EXTERNAL). */
  readonly cert?: string;
  readonly key?: string;
}

/** Address of the broker, and the credentials for it. */
export interface BrokerAccess {
  readonly address: Options.Connect;
  /** TLS options, and credentials unless they are in `address`. */
  readonly socket: BrokerTls & { readonly credentials?: ReturnType<typeof credentials.external> };
  /** Our user name at the broker; undefined if the broker derives it from our certificate. */
  readonly user: string | undefined;
}

/** RabbitMQ creates this user with a well-known password. By default it accepts it from loopback only, but that can be turned off. */
const DEFAULT_USER = 'guest';

/** `user` is '' if the URL names none; RabbitMQ's clients then log in as `guest`. */
export const isGuestOutside = (user: string, host: string): boolean =>
  (user === '' || user === DEFAULT_USER) && !isLoopback(host.replaceAll(/[[\]]/g, ''));

/** Throws BACKBONE_REFUSED for an invalid URL, and for `guest` on any host but this machine. */
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
