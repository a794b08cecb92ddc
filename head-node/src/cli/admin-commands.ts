/** `head-node token ...`, `head-node node ...` and `head-node audit verify`. stdout carries data, stderr what is for people. */
import {
  formatDuration,
  isTokenUsable,
  parseDurationMs,
  roles,
  table,
  type AdminAction,
  type IssuedToken,
  type Member,
  type NodeStatus,
} from '@muster/shared';
import { Option, type Command } from 'commander';
import { printResult as print } from '@muster/shared/io';
import { isOpen, type ListedApiToken } from '../trust/api-tokens.ts';
import type { CreatedApiToken, CreatedToken } from '../trust/administration.ts';
import { verifyAuditLog } from '../trust/audit-check.ts';
import { Trust } from '../trust/trust.ts';
import { askRunningHead } from './admin-client.ts';

export type Action = () => Promise<void>;

export interface AdminEnvironment {
  readonly chosen: (action: Action) => void;
  /** Known once the command line is parsed. */
  readonly portBase: () => number;
  readonly stateDirectory: () => string;
}

interface CreateFlags {
  readonly role?: string;
  readonly ttl?: string;
  readonly uses?: string;
  readonly api?: boolean;
  readonly name?: string;
  readonly requireApproval?: boolean;
  readonly endpoint?: string;
}

export function addAdminCommands(program: Command, environment: AdminEnvironment): void {
  addTokenCommands(program, environment);
  addNodeCommands(program, environment);
  const audit = program.command('audit').description('what happened to tokens, nodes and tasks');
  audit
    .command('verify')
    .description('is the audit log whole? Exit status 65 names the first broken line')
    .action(() =>
      environment.chosen(() => {
        const { lines, lastHash } = verifyAuditLog(Trust.auditFileIn(environment.stateDirectory()));
        print({ lines, lastHash }, [`the audit log is whole: ${lines} lines, the last hash is ${lastHash}`]);
        return Promise.resolve();
      }),
    );
}

function addTokenCommands(program: Command, { chosen, portBase }: AdminEnvironment): void {
  const ask = (action: AdminAction, given?: Record<string, string>): Promise<unknown> =>
    askRunningHead(portBase(), action, given);
  const token = program.command('token').description('lines that let machines and people in');
  token
    .command('create')
    .description('print one; the head keeps no secret of it')
    .addOption(
      new Option('--role <role>', 'what who comes with it may do (default: provider; with --api viewer)').choices(
        roles,
      ),
    )
    .option('--ttl <duration>', 'how long it can be used (default: 1h; with --api 30d)')
    .addOption(new Option('--uses <count>', 'by how many (default: 10)').conflicts('api'))
    .addOption(
      new Option('--require-approval', 'who comes with it is let in after head-node node approve ID').conflicts('api'),
    )
    .addOption(
      new Option('--endpoint <host:port>', 'where the head is reached, if not where it listens').conflicts('api'),
    )
    .option('--api', 'no machine joins with it: a key for the HTTP interface, shown once')
    .option('--name <name>', 'who the key is for (with --api)')
    .action((flags: CreateFlags) =>
      chosen(async () => {
        const created = await ask('token-create', requestOf(flags));
        if (flags.api === true) printApiToken(created as CreatedApiToken);
        else printToken(created as CreatedToken);
      }),
    );
  token
    .command('ls')
    .description('list them; never with their secrets')
    .action(() =>
      chosen(async () => {
        const found = (await ask('token-ls')) as ListedTokens;
        print(found, tokenTable(found));
      }),
    );
  token
    .command('revoke <id>')
    .description('nobody comes in with it any more; whose machine has joined stays')
    .action((id: string) => chosen(async () => print(await ask('token-revoke', { id }), [`token ${id} is revoked`])));
}

/** Flags that are not given are left out: the head has the defaults. */
function requestOf({ ttl, requireApproval, api, ...rest }: CreateFlags): Record<string, string> {
  const request = {
    ...rest,
    ...(ttl === undefined ? {} : { ttlMs: String(parseDurationMs(ttl, '--ttl')) }),
    ...(requireApproval === undefined ? {} : { requireApproval: String(requireApproval) }),
    ...(api === undefined ? {} : { api: String(api) }),
  };
  return request;
}

function addNodeCommands(program: Command, { chosen, portBase }: AdminEnvironment): void {
  const node = program.command('node').description('who belongs to the cluster');
  node
    .command('ls')
    .description('list who has joined, and whether they are here')
    .action(() =>
      chosen(async () => {
        const found = (await askRunningHead(portBase(), 'node-ls')) as Listing;
        print(found, memberTable(found));
      }),
    );
  for (const [name, { action, description, done }] of Object.entries(NODE_COMMANDS)) {
    node
      .command(`${name} <id>`)
      .description(description)
      .action((id: string) =>
        chosen(async () => print(await askRunningHead(portBase(), action, { id }), [`${id} ${done}`])),
      );
  }
}

const NODE_COMMANDS = {
  approve: { action: 'node-approve', description: 'let in one that waits for it', done: 'is let in' },
  drain: {
    action: 'node-drain',
    description: 'no new work for one, also when it comes again; it ends what it has',
    done: 'gets no new work until head-node node undrain',
  },
  undrain: { action: 'node-undrain', description: 'work again for one that was drained', done: 'gets work again' },
  revoke: {
    action: 'node-revoke',
    description: 'shut one out at once and for good; its work goes to others',
    done: 'is shut out',
  },
} as const;

function printToken(created: CreatedToken): void {
  const { token, role, expiresWallMs } = created;
  const line = role === 'provider' ? `provider-node join ${token}` : `user-client login ${token}`;
  process.stderr.write(`paste this on the other machine, within ${formatDuration(expiresWallMs - Date.now())}:\n`);
  process.stdout.write(`${line}\n`);
}

function printApiToken({ token, id, role, expiresWallMs }: CreatedApiToken): void {
  const until = dateOf(expiresWallMs);
  process.stderr.write(`shown this once; good until ${until} UTC as ${role}, or until: head-node token revoke ${id}\n`);
  process.stderr.write('use it as a header, Authorization: Bearer TOKEN\n');
  process.stdout.write(`${token}\n`);
}

interface ListedTokens {
  readonly tokens: readonly IssuedToken[];
  readonly apiTokens: readonly ListedApiToken[];
}

export interface Listing {
  readonly members: readonly Member[];
  readonly nodes: readonly NodeStatus[];
  readonly drained: readonly string[];
}

const tokenTable = ({ tokens, apiTokens }: ListedTokens): string[] =>
  table([
    ['TOKEN', 'FOR', 'ROLE', 'USES LEFT', 'UNTIL', 'STATE'],
    ...tokens.map((token) => [
      token.id,
      'joining',
      token.role,
      String(token.usesLeft),
      dateOf(token.expiresWallMs),
      stateOf(token, isTokenUsable(token, Date.now())),
    ]),
    ...apiTokens.map((token) => [
      token.id,
      `HTTP: ${token.name}`,
      token.role,
      '-',
      dateOf(token.expiresWallMs),
      stateOf(token, isOpen(token, Date.now())),
    ]),
  ]);

function stateOf({ revoked }: { readonly revoked: boolean }, isUsable: boolean): string {
  if (revoked) return 'revoked';
  return isUsable ? 'usable' : 'over';
}

/** Members, then nodes of the head's own account, which need not join. */
export const memberTable = ({ members, nodes, drained }: Listing): string[] =>
  table([
    ['ID', 'NAME', 'ROLE', 'STATE', 'CONNECTED', 'SINCE'],
    ...members.map((member) => [
      member.id,
      member.name,
      member.role,
      drained.includes(member.provider) ? `${member.state}, drained` : member.state,
      nodes.find(({ id }) => id === member.provider)?.state ?? '-',
      dateOf(member.enrolledWallMs),
    ]),
    ...nodes
      .filter(({ id }) => !members.some(({ provider }) => provider === id))
      .map(({ id, name, state }) => [
        id,
        name,
        'provider',
        drained.includes(id) ? 'own account, drained' : 'own account',
        state,
        '-',
      ]),
  ]);

const dateOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ');
