/** The one check of every HTTP request, before its route is: where it claims to go, where it comes from, and whether the role may. */
import { limits, mayRequest, type Clock, type HttpRole } from '@muster/shared';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HandshakeLimits } from './handshake-limits.ts';

/** The role of who shows this key, or null for a key that nobody has. */
export type HttpAuthenticator = (key: string) => HttpRole | null | Promise<HttpRole | null>;

/** A page of another site can make a browser call us by a name of its own that leads to 127.0.0.1: the name gives it away. */
const OUR_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

const BEARER = /^Bearer (\S+)$/;

export interface HttpGateOptions {
  readonly authenticator: HttpAuthenticator;
  readonly failures: HandshakeLimits;
  readonly clock: Clock;
  /** Of a request that is not for this server, or not for this role; keys that nobody has tell of themselves. */
  readonly refused: (why: string) => void;
}

/**
 * For fastify's `onRequest`. 421 for a foreign Host, 403 for a foreign Origin or a role that may not, 401 for a key that nobody has, and 429
 * where those are too many. Who has a key is let in all the time: all of this machine come from one address.
 */
export const httpGate =
  (options: HttpGateOptions) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const refusal = await refusalOf(request, options.authenticator);
    if (refusal === null) return undefined;
    if (refusal.status === 403 || refusal.status === 421) options.refused(`${refusal.status} ${refusal.error}`);
    const { status, error } = refusal === UNKNOWN_KEY ? afterFailure(request.ip, reply, options) : refusal;
    return reply.code(status).send({ error });
  };

/** Tells those who try one after the other to wait. */
function afterFailure(address: string, reply: FastifyReply, { failures, clock }: HttpGateOptions): Refusal {
  const nowMs = clock.nowMs();
  if (!failures.isPaused(address, nowMs)) failures.failed(address, nowMs);
  const waitMs = failures.pauseLeftMs(address, nowMs);
  if (waitMs === 0) return UNKNOWN_KEY;
  reply.header('retry-after', Math.ceil(waitMs / 1000));
  return { status: 429, error: 'too many keys that nobody has' };
}

interface Refusal {
  readonly status: 401 | 403 | 404 | 421 | 429;
  readonly error: string;
}

const UNKNOWN_KEY: Refusal = { status: 401, error: 'nobody has this key' };

async function refusalOf(
  { headers, routeOptions }: FastifyRequest,
  authenticator: HttpAuthenticator,
): Promise<Refusal | null> {
  const { host = '', origin, authorization } = headers;
  if (!OUR_NAMES.has(host.replace(/:\d+$/, ''))) return { status: 421, error: 'this server has another name' };
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, error: 'not for pages of other sites' };
  const role = authorization === undefined ? 'anonymous' : await roleOf(authorization, authenticator);
  if (role === null) return UNKNOWN_KEY;
  if (routeOptions.url === undefined) return { status: 404, error: 'there is no such page' };
  if (mayRequest(routeOptions.url, role)) return null;
  return role === 'anonymous' ? { status: 401, error: 'show a key' } : { status: 403, error: 'not for this role' };
}

/** What is no key at all is asked about as well, as '': there is a count and a line of it. */
const roleOf = async (authorization: string, authenticator: HttpAuthenticator): Promise<HttpRole | null> => {
  const key = BEARER.exec(authorization)?.[1] ?? '';
  return authenticator(key.length > limits.bearerBytesMax.value ? '' : key);
};
