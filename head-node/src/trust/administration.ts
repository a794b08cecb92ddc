/** What an admin asks of the running head: tokens and nodes. Every change is in the audit log before it is answered. */
import {
  isRole,
  limits,
  MusterError,
  PORT_BASE_RANGE,
  roles,
  writeJoinToken,
  type AdminAction,
  type Endpoint,
  type Fields,
  type Member,
  type NodeStatus,
  type ProviderId,
  type Role,
  type SessionId,
} from '@muster/shared';
import type { AuditAction } from './audit-log.ts';
import type { ListedApiToken } from './api-tokens.ts';
import type { Peer } from './peer.ts';
import { byPeer, type Trust } from './trust.ts';

export interface AdministrationPorts {
  readonly trust: Trust;
  /** Addresses at which joining machines can reach the head. */
  readonly endpoints: readonly Endpoint[];
  readonly nodes: () => readonly NodeStatus[];
  /** Drains a provider (`on`), which then finishes its leases and gets no new work, or undrains it. */
  readonly drain: (provider: ProviderId, on: boolean) => void;
  /** Gives the member's leases to others at once, and sends nothing more to it. */
  readonly expel: (member: Member, sessions: readonly SessionId[]) => void;
}

type Arguments = Fields<'administer'>['arguments'];

export interface CreatedToken {
  readonly id: string;
  readonly role: string;
  readonly expiresWallMs: number;
  readonly token: string;
}

/** The answer to `token-create` for an API token; its secret is nowhere else. */
export interface CreatedApiToken extends ListedApiToken {
  readonly token: string;
}

const HOUR_MS = 3_600_000;
const API_TTL_MS = 30 * 24 * HOUR_MS;
const TTL_MAX_MS = limits.tokenDaysMax.value * 24 * HOUR_MS;

export class Administration {
  readonly #ports: AdministrationPorts;

  constructor(ports: AdministrationPorts) {
    this.#ports = ports;
  }

  /** Throws USAGE, and TOO_LARGE for one API token too many. */
  answer(peer: Peer, { action, arguments: given }: Pick<Fields<'administer'>, 'action' | 'arguments'>): unknown {
    return this.#actions[action](peer, given);
  }

  /** By default for the role provider, one hour and ten machines. */
  createToken(peer: Peer, given: Arguments = {}): CreatedToken {
    const { trust, endpoints } = this.#ports;
    const role = roleIn(given, 'provider');
    const request = {
      role,
      ttlMs: numberIn(given, 'ttlMs', { fallback: HOUR_MS, max: TTL_MAX_MS }),
      uses: numberIn(given, 'uses', { fallback: 10, max: limits.tokenUsesMax.value }),
      requireApproval: given['requireApproval'] === 'true',
    };
    const issued = trust.roster.issue(request);
    this.#note(peer, 'token-created', {
      object: issued.id,
      detail: `${role}, ${request.uses} uses, ${request.ttlMs / 1000} s`,
    });
    const { id, expiresWallMs } = issued;
    const reached = given['endpoint'] === undefined ? endpoints : [endpointIn(given['endpoint'])];
    return {
      id,
      role,
      expiresWallMs,
      token: writeJoinToken({ ...issued, headKey: trust.keys.publicKey, endpoints: reached }),
    };
  }

  /** By default for the role viewer and thirty days. Throws USAGE and TOO_LARGE. */
  createApiToken(peer: Peer, given: Arguments): CreatedApiToken {
    const role = roleIn(given, 'viewer');
    const ttlMs = numberIn(given, 'ttlMs', { fallback: API_TTL_MS, max: TTL_MAX_MS });
    const { name = role } = given;
    if (!/^[\w@.-]{1,64}$/.test(name))
      throw usage('--name cannot be used', `got '${name}'`, '--name dashboard: 1 to 64 letters, digits and @._-');
    const { record, token } = this.#ports.trust.roster.apiTokens.issue({ name, role, ttlMs });
    this.#note(peer, 'token-created', { object: record.id, detail: `API token ${name}, ${role}, ${ttlMs / 1000} s` });
    return { ...record, token };
  }

  #revokeToken(peer: Peer, id: string): unknown {
    const { roster } = this.#ports.trust;
    const wasRevoked = [...roster.tokens, ...roster.apiTokens.listed].some((token) => token.id === id && token.revoked);
    const { role } = roster.apiTokens.revoke(id) ?? roster.revokeToken(id);
    if (!wasRevoked) this.#note(peer, 'token-revoked', { object: id, detail: role });
    return {};
  }

  readonly #actions: Readonly<Record<AdminAction, (peer: Peer, given: Arguments) => unknown>> = {
    'token-create': (peer, given) =>
      given['api'] === 'true' ? this.createApiToken(peer, given) : this.createToken(peer, given),
    'token-ls': () => ({
      tokens: this.#ports.trust.roster.tokens,
      apiTokens: this.#ports.trust.roster.apiTokens.listed,
    }),
    'token-revoke': (peer, { id = '' }) => this.#revokeToken(peer, id),
    'node-ls': () => {
      const { members, drained } = this.#ports.trust.roster;
      return { members, nodes: this.#ports.nodes(), drained: [...drained] };
    },
    'node-approve': (peer, { id = '' }) => {
      const { roster } = this.#ports.trust;
      const wasPending = roster.find(id)?.state === 'pending';
      const member = roster.approve(id);
      if (wasPending) this.#note(peer, 'node-approved', { object: member.id, detail: member.name });
      return { member };
    },
    'node-drain': (peer, { id = '' }) => this.#drain(peer, id, true),
    'node-undrain': (peer, { id = '' }) => this.#drain(peer, id, false),
    'node-revoke': (peer, { id = '' }) => this.#revoke(peer, id),
  };

  /** Also for a node that is not connected: it is drained when it comes. */
  #drain(peer: Peer, idOrName: string, on: boolean): unknown {
    const node = this.#node(idOrName);
    if (this.#ports.trust.roster.drain(node.id, on)) {
      this.#ports.drain(node.id, on);
      this.#note(peer, on ? 'node-drained' : 'node-undrained', { object: node.id, detail: node.name });
    }
    return { node };
  }

  /** Finds a member, a node of the head's own account, or a drained node: by identity, provider id, or a name that is unique. */
  #node(idOrName: string): { readonly id: ProviderId; readonly name: string } {
    const { nodes, trust } = this.#ports;
    const member = trust.roster.find(idOrName);
    if (member !== undefined && member.provider !== '') return { id: member.provider as ProviderId, name: member.name };
    const [node, ...others] = nodes().filter(({ id, name }) => id === idOrName || name === idOrName);
    if (node !== undefined && others.length === 0) return { id: node.id as ProviderId, name: node.name };
    const drained = [...trust.roster.drained].find((id) => id === idOrName);
    if (drained !== undefined) return { id: drained, name: drained };
    const why = node === undefined ? 'no such id or name' : `${others.length + 1} have that name`;
    throw usage(`the head cannot tell which node is '${idOrName}'`, why, 'head-node node ls');
  }

  #revoke(peer: Peer, idOrName: string): unknown {
    const { trust, expel } = this.#ports;
    this.#expectMember(idOrName);
    const member = trust.roster.revoke(idOrName);
    expel(member, trust.gate.sessionsOf(member.id));
    const provider = member.provider as ProviderId;
    if (trust.roster.drain(provider, false)) this.#ports.drain(provider, false);
    this.#note(peer, 'node-revoked', { object: member.id, detail: `${member.role} ${member.name}` });
    return { member };
  }

  /** Throws USAGE for a name that several have, and for a node of the head's own account, which has no key to revoke. */
  #expectMember(idOrName: string): void {
    const { nodes, trust } = this.#ports;
    if (trust.roster.find(idOrName) !== undefined) return;
    const named = trust.roster.members.filter(({ name, state }) => name === idOrName && state !== 'revoked').length;
    if (named > 1)
      throw usage(`the head cannot tell who is '${idOrName}'`, `${named} have that name`, 'head-node node ls');
    const own = nodes().find(({ id, name }) => id === idOrName || name === idOrName);
    if (own === undefined) return;
    const fix = `stop it where it runs, or: head-node node drain ${own.id}`;
    throw usage(`'${own.name}' has no key that could be taken away`, "it runs under the head's own account", fix);
  }

  #note(
    peer: Peer,
    action: AuditAction,
    { object, detail }: { readonly object: string; readonly detail: string },
  ): void {
    this.#ports.trust.audit({ ...byPeer(peer), action, outcome: 'done', object, detail });
  }
}

/** 'example.org:5555', '[::1]:5555' */
function endpointIn(text: string): Endpoint {
  const [, host = '', port = ''] = /^(.{1,255}):(\d{1,5})$/.exec(text) ?? [];
  const portBase = Number(port);
  if (host !== '' && portBase >= 1 && portBase <= PORT_BASE_RANGE[1])
    return { host: host.replaceAll(/[[\]]/g, ''), portBase };
  throw usage('--endpoint cannot be read', `got '${text}'`, '--endpoint head.example.org:5555');
}

function roleIn(given: Arguments, fallback: Role): Role {
  const role = given['role'] ?? fallback;
  if (isRole(role)) return role;
  throw usage(`--role ${role} is no role`, `there is ${roles.join(', ')}`, `--role ${fallback}`);
}

function numberIn(given: Arguments, key: string, { fallback, max }: { fallback: number; max: number }): number {
  const value = given[key] === undefined ? fallback : Number(given[key]);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw usage(`${key} is out of range`, `${given[key]}, not a whole number from 1 to ${max}`, 'head-node token create');
}

const usage = (what: string, why: string, fix: string): MusterError => new MusterError('USAGE', what, { why, fix });
