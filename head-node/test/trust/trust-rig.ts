/** A head on TCP in this process, who has joined it, and what it writes down of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  PROTOCOL_VERSION,
  readJoinToken,
  silentLogger,
  type AdminAction,
  type Endpoint,
  type Fields,
  type ProviderId,
  type Role,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { enrol } from '@muster/shared/io';
import { deviceFacts, freePortBase, TemporaryDirectories } from '@muster/shared/testkit';
import { Request } from 'zeromq';
import type * as HeadNodeModule from '../../src/head-node.ts';
import type { HeadNode } from '../../src/head-node.ts';
import type { HeadNodeOptions } from '../../src/options.ts';
import type { AuditEntry } from '../../src/trust/audit-log.ts';
import { LOCAL_PEER } from '../../src/trust/peer.ts';
import { Trust } from '../../src/trust/trust.ts';
import { ask, type Keys } from './raw-peer.ts';

/** As it was built: the head starts a compiled process beside it. */
const built = join(import.meta.dirname, '../../dist/head-node.js');
export const { startHeadNode } = (await import(built)) as typeof HeadNodeModule;

/** One echo, of a task that waits for a node as long as a test may take. */
export const echoSubmission = (task: TaskId): Fields<'submit'> => ({
  request: 1,
  task,
  taskType: 'echo',
  spec: { count: 1, bytes: 8, batch: 1 },
  nodes: 1,
  waitNodesMs: 600_000,
  timeoutMs: 600_000,
  durability: 'local',
});

export interface Enrolled extends Keys {
  readonly identity: string;
  /** '' but for a provider. */
  readonly provider: ProviderId;
}

export class TrustRig {
  readonly endpoint: Endpoint;
  readonly #directories: TemporaryDirectories;
  readonly #options: HeadNodeOptions;
  #head: HeadNode;
  #members = 0;

  static async start(options: HeadNodeOptions = {}): Promise<TrustRig> {
    const directories = new TemporaryDirectories();
    process.env['XDG_STATE_HOME'] = directories.make();
    const endpoint = { host: '127.0.0.1', portBase: await freePortBase() };
    const whole = { httpPort: null, logger: silentLogger, stateDirectory: directories.make(), ...endpoint, ...options };
    return new TrustRig({ directories, endpoint, options: whole, head: await startHeadNode(whole) });
  }

  private constructor({ directories, endpoint, options, head }: Parts) {
    this.#directories = directories;
    this.endpoint = endpoint;
    this.#options = options;
    this.#head = head;
  }

  get head(): HeadNode {
    return this.#head;
  }

  /** The same state, the same ports. */
  async restart(): Promise<void> {
    await this.#head.stop();
    this.#head = await startHeadNode(this.#options);
  }

  async stop(): Promise<void> {
    await this.#head.stop();
    this.#directories.removeAll();
  }

  createToken(given: Record<string, string> = {}): string {
    return this.#head.administration.createToken(LOCAL_PEER, given).token;
  }

  administer(action: AdminAction, given: Record<string, string> = {}): unknown {
    return this.#head.administration.answer(LOCAL_PEER, { action, arguments: given });
  }

  /** A new member. */
  async enrolled(role: Role): Promise<Enrolled> {
    this.#members += 1;
    const provider = role === 'provider' ? this.#members.toString(16).padStart(16, '0') : '';
    const line = this.createToken({ role });
    const { membership } = await enrol(Request, line, { name: `${role}-${this.#members}`, provider });
    const { keys: own, identity } = membership;
    return { own, head: readJoinToken(line).headKey, identity, provider: provider as ProviderId };
  }

  async register(keys: Enrolled): Promise<SessionId> {
    const answer = await ask(this.endpoint, 'registration', {
      keys,
      type: 'register',
      fields: registerAs(keys.provider),
    });
    if (answer.type !== 'registered') throw new Error(JSON.stringify(answer));
    return answer.session;
  }

  auditLog(): AuditEntry[] {
    return readFileSync(Trust.auditFileIn(this.#head.options.stateDirectory), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditEntry);
  }

  /** What the log says of what happens meanwhile, and what the metrics count. */
  async meanwhile<T>(act: () => Promise<T>): Promise<Meanwhile<T>> {
    const [lines, before] = [this.auditLog().length, this.#refusals()];
    const result = await act();
    return { result, log: this.auditLog().slice(lines), refused: this.#refusals() - before };
  }

  #refusals(): number {
    return Object.entries(this.#head.counters())
      .filter(([name]) => name.endsWith('Refused'))
      .reduce((sum, [, count]) => sum + count, 0);
  }
}

interface Parts {
  readonly directories: TemporaryDirectories;
  readonly endpoint: Endpoint;
  readonly options: HeadNodeOptions;
  readonly head: HeadNode;
}

export interface Meanwhile<T> {
  readonly result: T;
  readonly log: AuditEntry[];
  readonly refused: number;
}

export const registerAs = (provider: ProviderId, name = 'node'): Fields<'register'> => ({
  version: PROTOCOL_VERSION,
  provider,
  name,
  platform: 'test',
  device: deviceFacts(),
  credit: 1,
  held: [],
});
