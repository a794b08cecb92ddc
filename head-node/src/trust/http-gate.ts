/** The one check of every HTTP request, before its route: the Host it names, the Origin it comes from, and whether its role may. */
import { limits, mayRequest, type Clock, type HttpRole } from '@muster/shared';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HandshakeLimits } from './handshake-limits.ts';

/** The role of the key's holder; null for an unknown key. */
export type HttpAuthenticator = (key: string) => HttpRole | null | Promise<HttpRole | null>;

/**
 * Against DNS rebinding: a page of another site can make a browser call this server under that site's name, resolved to 127.0.0.1. The Host
 * header gives it away.
 */
const OUR_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

const BEARER = /^Bearer (\S+)$/;

export interface HttpGateOptions {
  readonly authenticator: HttpAuthenticator;
  readonly failures: HandshakeLimits;
  readonly clock: Clock;
  /** Called for answers 403 and 421; refused keys are reported by the authenticator. */
  readonly refused: (why: string) => void;
}

/**
 * For fastify's `onRequest`. 421 for a foreign Host, 403 for a foreign Origin or a role that may not, 404 for no route, 401 for an unknown
 * or missing key, and 429 after too many unknown ones. A valid key is never throttled: all clients of this machine share one address.
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

/** Makes a client that tries one key after the other wait. */
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

/** A malformed or oversized key is passed on as '', so that its refusal is counted and audited as well. */
const roleOf = async (authorization: string, authenticator: HttpAuthenticator): Promise<HttpRole | null> => {
  const key = BEARER.exec(authorization)?.[1] ?? '';
  return authenticator(key.length > limits.bearerBytesMax.value ? '' : key);
};
