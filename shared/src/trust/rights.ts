/** Which role may do what: one table for ZeroMQ and one for HTTP. The compiler checks that every message and every route is in them. */
import type { MessageType } from '../protocol/messages.ts';
import type { Role } from './role.ts';

/** Which tasks or sessions a right covers: any, or only the peer's own. */
export type Reach = 'any' | 'own';
export type Rights = Readonly<Partial<Record<Role, Reach>>>;

/** Sent by the head only, or only through the broker. */
const nobody: Rights = {};
const everybody: Rights = { admin: 'any', submitter: 'any', provider: 'any', viewer: 'any' };
const providers: Rights = { provider: 'own' };
const submitters: Rights = { admin: 'any', submitter: 'own' };
const readers: Rights = { admin: 'any', submitter: 'own', viewer: 'any' };
const admins: Rights = { admin: 'any' };

/** Roles that may send a message to the head. */
export const messageRights: Readonly<Record<MessageType, Rights>> = {
  register: providers,
  ready: providers,
  bye: providers,
  heartbeat: providers,
  result: providers,
  resultChunk: providers,
  failed: providers,
  greet: everybody,
  submit: submitters,
  bind: submitters,
  put: submitters,
  sync: submitters,
  fetch: { admin: 'any', submitter: 'any', provider: 'any' },
  fetchResult: submitters,
  probe: providers,
  watch: readers,
  cancel: submitters,
  show: readers,
  listTasks: readers,
  listNodes: { admin: 'any', submitter: 'any', viewer: 'any' },
  audit: submitters,
  administer: admins,
  // Sent with the key of a join token, which has no role and may send nothing else.
  enrol: nobody,
  enrolled: nobody,
  registered: nobody,
  ok: nobody,
  refused: nobody,
  beat: nobody,
  hello: nobody,
  lease: nobody,
  settled: nobody,
  revoke: nobody,
  open: nobody,
  block: nobody,
  closed: nobody,
  delivered: nobody,
  streamedChunk: nobody,
  recorded: nobody,
  greeting: nobody,
  accepted: nobody,
  bound: nobody,
  stored: nobody,
  synced: nobody,
  chunk: nobody,
  task: nobody,
  tasks: nobody,
  nodes: nobody,
  audited: nobody,
  administered: nobody,
  done: nobody,
  error: nobody,
  tiles: nobody,
  progress: nobody,
  ended: nobody,
};

/** Role of an HTTP request: that of the key it shows, or anonymous without one. */
export type HttpRole = Role | 'anonymous';

/** The server listens on loopback only: health and metrics are open to any program on this machine, such as a scraper. */
export const routeRoles = {
  '/healthz': ['admin', 'submitter', 'provider', 'viewer', 'anonymous'],
  '/readyz': ['admin', 'submitter', 'provider', 'viewer', 'anonymous'],
  '/metrics': ['admin', 'submitter', 'provider', 'viewer', 'anonymous'],
} as const satisfies Readonly<Record<string, readonly HttpRole[]>>;

export type HttpRoute = keyof typeof routeRoles;

/** The reach of these roles together for a message; null: not allowed. */
export function reachOf(type: MessageType, held: readonly Role[]): Reach | null {
  const reaches = held.map((role) => messageRights[type][role]);
  if (reaches.includes('any')) return 'any';
  return reaches.includes('own') ? 'own' : null;
}

/** False also for a route that the table does not know. */
export const mayRequest = (route: string, role: HttpRole): boolean =>
  Object.hasOwn(routeRoles, route) && (routeRoles[route as HttpRoute] as readonly HttpRole[]).includes(role);
