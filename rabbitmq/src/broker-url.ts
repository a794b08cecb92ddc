import { MusterError } from '@muster/shared';
import type { Options } from 'amqplib';

/** Seconds. The connection counts as dead after twice that without a byte. */
const HEARTBEAT_S = 5;

/** Splits the URL, so that no string that could be logged holds its password. Throws BACKBONE_REFUSED without quoting it. */
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

/** Host and port, for messages. */
export const brokerAddress = ({ hostname, port, protocol }: Options.Connect): string =>
  `${hostname}:${port ?? (protocol === 'amqps' ? 5671 : 5672)}`;

/** Unchanged if its escapes are invalid: the `%` was meant literally. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
