import type { Endpoint } from '@muster/shared';
import { enrol, type Enrolment } from '@muster/shared/io';
import { hostname, userInfo } from 'node:os';
import { Request } from 'zeromq';
import { rememberMembership } from './memberships.ts';

/**
 * Joins the cluster of a token under this account's name and remembers it: from then on no token is needed. `at`: where the head is
 * reached, if not where the token says. Throws TOKEN_INVALID, TOKEN_REFUSED, WRONG_HEAD and HEAD_UNREACHABLE.
 */
export async function login(token: string, at?: Endpoint): Promise<Enrolment> {
  const name = `${userInfo().username}@${hostname()}`.slice(0, 64);
  const enrolment = await enrol(Request, token, { name, provider: '', at: at === undefined ? [] : [at] });
  rememberMembership(enrolment.membership);
  return enrolment;
}
