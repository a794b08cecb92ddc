import { MusterError } from '@muster/shared';
import type { Options } from 'amqplib';

/** Seconds. Twice that without a byte, and the connection counts as dead. */
const HEARTBEAT_S = 5;

/** Takes the URL apart, so that its password is in no string that could be logged. Throws BACKBONE_REFUSED without quoting it. */
export function parseBrokerUrl(text: string): Options.Connect {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'amqp:' && url.protocol !== 'amqps:') || url.hostname === '')
    throw new MusterError('BACKBONE_REFUSED', 'the address of the backbone is not an AMQP URL', {
      why: url ? `it starts with ${url.protocol}` : 'it is no URL at all',
      fix: 'AMQP_URL=amqp://user:password@host:5672/vhost',
    });
  const credentials = url.username === '' ? {} : { username: decoded(url.username), password: decoded(url.password) };
  return {
    protocol: url.protocol.slice(0, -1),
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...credentials,
    vhost: url.pathname.length > 1 ? url.pathname.slice(1) : '/',
    heartbeat: HEARTBEAT_S,
  };
}

/** Host and port, for people. */
export const brokerAddress = ({ hostname, port, protocol }: Options.Connect): string =>
  `${hostname}:${port ?? (protocol === 'amqps' ? 5671 : 5672)}`;

/** As it stands when its escapes are not valid: then the `%` was meant. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
