import { MusterError, isMusterError } from '../errors.ts';
import type { ProviderId } from '../ids.ts';
import type { Endpoint } from '../protocol/channels.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';
import type { Message } from '../protocol/messages.ts';
import { enrolmentKeys, readJoinToken, type JoinToken } from '../trust/join-token.ts';
import { newKeyPair, type KeyPair } from '../trust/keys.ts';
import { RequestClient, expectType, type RequestSocketClass } from './request-client.ts';
import { curveRoute } from './head-route.ts';
import type { Membership } from './membership-file.ts';

export interface Applicant {
  readonly name: string;
  /** '' for a client. */
  readonly provider: string;
  /** Keys of an earlier attempt, so that asking again does not enrol twice. Default: new keys. */
  readonly keys?: KeyPair;
  /** Addresses to try before those of the token. */
  readonly at?: readonly Endpoint[];
}

export interface Enrolment {
  readonly membership: Membership;
  /** False: an admin has to approve it first. */
  readonly approved: boolean;
}

/**
 * Joins the cluster of a token, trying its addresses in turn. Nothing is sent before the head has proven that it has the key that the token
 * names. Throws TOKEN_INVALID before any connection is made, TOKEN_REFUSED, WRONG_HEAD and HEAD_UNREACHABLE.
 */
export async function enrol(Request: RequestSocketClass, line: string, applicant: Applicant): Promise<Enrolment> {
  const token = readJoinToken(line);
  const own = { ...applicant, keys: applicant.keys ?? newKeyPair() };
  let failure: unknown = new MusterError('TOKEN_INVALID', 'the join token names no address');
  for (const endpoint of [...(applicant.at ?? []), ...token.endpoints]) {
    try {
      return await enrolAt(Request, { token, endpoint }, own);
    } catch (error) {
      failure = error;
      if (!isMusterError(error) || (error.code !== 'HEAD_UNREACHABLE' && error.code !== 'WRONG_HEAD')) break;
    }
  }
  throw unknownToken(failure);
}

const ATTEMPTS = 3;

interface Address {
  readonly token: JoinToken;
  readonly endpoint: Endpoint;
}

async function enrolAt(
  Request: RequestSocketClass,
  { token, endpoint }: Address,
  { name, provider, keys }: Applicant & { readonly keys: KeyPair },
): Promise<Enrolment> {
  const { headKey, endpoints } = token;
  const client = new RequestClient(Request, curveRoute(endpoint, headKey, enrolmentKeys(token)), 'registration');
  try {
    const id = provider as ProviderId | '';
    const question = { version: PROTOCOL_VERSION, publicKey: keys.publicKey, name, provider: id };
    const answer = await askPatiently(() => client.ask('enrol', question));
    const { identity, role, cluster, approved } = expectType(answer, 'enrolled');
    const known = [endpoint, ...endpoints.filter((other) => other !== endpoint)];
    return { approved, membership: { cluster, headKey, endpoints: known, identity, role, keys } };
  } finally {
    client.close();
  }
}

/** A busy head may not answer within one timeout. Asking again with the same key does not enrol twice. */
async function askPatiently(ask: () => Promise<Message>, attempts = ATTEMPTS): Promise<Message> {
  try {
    return await ask();
  } catch (error) {
    if (attempts <= 1 || !isMusterError(error) || error.code !== 'HEAD_UNREACHABLE') throw error;
    return askPatiently(ask, attempts - 1);
  }
}

/** A head that has forgotten a token refuses its handshake: UNAUTHORIZED then means TOKEN_REFUSED. */
function unknownToken(error: unknown): unknown {
  if (!isMusterError(error) || error.code !== 'UNAUTHORIZED') return error;
  return new MusterError('TOKEN_REFUSED', 'the head does not know this join token', {
    why: 'it was never given out by this head, or thrown away long ago',
    fix: "ask for a new one: on the head's machine, head-node token create",
    cause: error,
  });
}
