import type { AdminAction } from '@muster/shared';
import { RequestClient, expectType, routeToHead } from '@muster/shared/io';
import { Request } from 'zeromq';

/** Asks the head that runs on this machine under this account. Throws HEAD_UNREACHABLE, UNAUTHORIZED (another account's head) and USAGE. */
export async function askRunningHead(
  portBase: number,
  action: AdminAction,
  given: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const route = routeToHead({ endpoint: { host: '127.0.0.1', portBase }, wire: false, membership: null });
  const client = new RequestClient(Request, route, 'registration');
  try {
    return expectType(await client.ask('administer', { action, arguments: { ...given } }), 'administered').answer;
  } finally {
    client.close();
  }
}
