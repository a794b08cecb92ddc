import type { Endpoint } from '@muster/shared';
import { enrol, type Enrolment } from '@muster/shared/io';
import { hostname, userInfo } from 'node:os';
import { Request } from 'zeromq';
import { rememberMembership } from './memberships.ts';

/**
 * Joins the token's cluster under this account's name and stores the membership, after which no token is needed. `at`: an address of the
 * head to try before those in the token. Throws TOKEN_INVALID, TOKEN_REFUSED, WRONG_HEAD and HEAD_UNREACHABLE.
 */
export async function login(token: string, at?: Endpoint): Promise<Enrolment> {
  const name = `${userInfo().username}@${hostname()}`.slice(0, 64);
  const enrolment = await enrol(Request, token, { name, provider: '', at: at === undefined ? [] : [at] });
  rememberMembership(enrolment.membership);
  return enrolment;
}
