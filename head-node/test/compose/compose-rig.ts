/** The cluster of docker-compose.yml as a project of its own, and clients on this machine that reach it through its published ports. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isTerminal, type BackboneReport, type NodeStatus, type TaskStatus } from '@muster/shared';
import {
  freePortBase,
  LocalProgram,
  waitUntil,
  writeExactMatrix,
  wrongRows,
  type Outcome,
  type ProductFiles,
} from '@muster/shared/testkit';
import type { Enrolment } from '@muster/shared/io';
import { connectClient, login, type ClusterClient } from '@muster/user-client';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const IMAGES = ['node:22-bookworm-slim', 'rabbitmq:4-management'];
const OUTPUT_BYTES_MAX = 2 ** 26;
const HEALTHY_WITHIN_MS = 120_000;
const run = promisify(execFile);

const works = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

/** Version 1 where it is installed, because it understands less. */
function composeCommand(): readonly [string, ...string[]] | undefined {
  if (works('docker-compose', 'version')) return ['docker-compose'];
  return works('docker', 'compose', 'version') ? ['docker', 'compose'] : undefined;
}

/** Why the cluster cannot be started here; undefined where it can. */
export function whyNoCompose(): string | undefined {
  if (!works('docker', 'info')) return 'no Docker engine answers';
  if (composeCommand() === undefined) return 'Docker Compose is not installed';
  const missing = IMAGES.filter((image) => !works('docker', 'image', 'inspect', image));
  return missing.length > 0 ? `this machine has no image ${missing.join(', ')}` : undefined;
}

/** What `docker inspect` says, as far as it is looked at. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly Config: { readonly Env: readonly string[]; readonly User: string };
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health?: { readonly Status: string } };
  readonly RestartCount: number;
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { readonly HostIp: string }[] | null>>;
  };
}

/** A product under way. */
export interface UnderWay {
  readonly task: string;
  readonly files: ProductFiles;
  /** The waiting `user-client`. */
  readonly client: LocalProgram;
}

export class ComposeRig {
  readonly project: string;
  readonly #portBase: number;
  readonly #command: readonly [string, ...string[]];
  readonly #folder = mkdtempSync(join(tmpdir(), 'muster-compose-'));
  readonly #clients: LocalProgram[] = [];
  #observer: ClusterClient | undefined;
  #login: Promise<Enrolment> | undefined;

  static async create(): Promise<ComposeRig> {
    const command = composeCommand();
    if (command === undefined) throw new Error('Docker Compose is not installed');
    return new ComposeRig(command, await freePortBase());
  }

  private constructor(command: readonly [string, ...string[]], portBase: number) {
    this.#command = command;
    this.#portBase = portBase;
    this.project = `muster-test-${portBase}`;
  }

  /** Resolves to what it printed. Rejects when it fails. */
  async compose(...args: readonly string[]): Promise<string> {
    const [program, ...before] = this.#command;
    const env = {
      ...process.env,
      COMPOSE_PROJECT_NAME: this.project,
      PUBLISH_HEAD: `127.0.0.1:${this.#portBase}-${this.#portBase + 4}`,
      // Any free port.
      PUBLISH_MANAGEMENT: '127.0.0.1:',
    };
    const { stdout } = await run(program, [...before, ...args], { cwd: root, env, maxBuffer: OUTPUT_BYTES_MAX });
    return stdout;
  }

  async docker(...args: readonly string[]): Promise<string> {
    return (await run('docker', args, { maxBuffer: OUTPUT_BYTES_MAX })).stdout;
  }

  /** Everything is started, or started again. Resolves when the head is healthy and the providers are on their way. */
  up(): Promise<string> {
    return this.compose('up', '-d');
  }

  /** Resolves when every container is healthy: looks again whenever Docker has something to tell, as it does after each health check. */
  async healthy(): Promise<void> {
    const label = `label=com.docker.compose.project=${this.project}`;
    const events = spawn('docker', ['events', '--filter', label], { signal: AbortSignal.timeout(HEALTHY_WITHIN_MS) });
    const ended = once(events, 'close').catch(() => undefined);
    try {
      let unhealthy = await this.#unhealthy();
      for await (const _ of unhealthy.length === 0 ? [] : events.stdout) {
        unhealthy = await this.#unhealthy();
        if (unhealthy.length === 0) break;
      }
      if (unhealthy.length > 0) throw new Error(`not healthy: ${unhealthy.join(', ')}\n${await this.#lastWords()}`);
    } finally {
      events.kill();
      await ended;
    }
  }

  async #unhealthy(): Promise<string[]> {
    return (await this.containers()).filter((container) => !isHealthy(container)).map(({ Name }) => Name);
  }

  #lastWords(): Promise<string> {
    return this.compose('logs', '--tail=20');
  }

  /** Of a service, or all; also those that have ended. In the order of their names. */
  async containers(service?: string): Promise<Container[]> {
    const filters = [`project=${this.project}`, ...(service === undefined ? [] : [`service=${service}`])];
    const labels = filters.flatMap((filter) => ['--filter', `label=com.docker.compose.${filter}`]);
    const ids = (await this.docker('ps', '--all', '--quiet', ...labels)).split('\n').filter(Boolean);
    if (ids.length === 0) return [];
    const found = JSON.parse(await this.docker('inspect', ...ids)) as Container[];
    return found.toSorted((one, other) => one.Name.localeCompare(other.Name));
  }

  /** `user-client` on this machine. */
  client(...args: readonly string[]): LocalProgram {
    const script = join(root, 'user-client', 'bin', 'user-client.mjs');
    const child = spawn(process.execPath, [script, ...args, '--port-base', String(this.#portBase)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Where the login is.
      env: { ...process.env, XDG_STATE_HOME: this.#folder },
    });
    const client = new LocalProgram('user-client', child, () => undefined);
    this.#clients.push(client);
    return client;
  }

  run(...args: readonly string[]): Promise<Outcome> {
    return this.client(...args).ended();
  }

  async observer(): Promise<ClusterClient> {
    const endpoint = { host: '127.0.0.1', portBase: this.#portBase };
    this.#observer ??= await connectClient({ ...endpoint, membership: (await this.#loggedIn()).membership });
    return this.#observer;
  }

  /** Clients of this machine, with a token from the head's container. */
  #loggedIn(): Promise<Enrolment> {
    this.#login ??= this.#logIn();
    return this.#login;
  }

  async #logIn(): Promise<Enrolment> {
    const create = ['head-node', 'token', 'create', '--role', 'admin', '--endpoint', `127.0.0.1:${this.#portBase}`];
    const line = await this.compose('exec', '-T', 'head', 'node', '/app/docker/start.mjs', ...create);
    process.env['XDG_STATE_HOME'] = this.#folder;
    return login(line.trim().replace('user-client login ', ''));
  }

  async task(id: string): Promise<TaskStatus> {
    return (await this.observer()).task(id);
  }

  async nodes(): Promise<NodeStatus[]> {
    return (await this.observer()).nodes();
  }

  /** Resolves when the head says so of its broker. */
  async backboneIs(state: BackboneReport['state']): Promise<void> {
    const observer = await this.observer();
    await waitUntil(async () => (await observer.cluster()).backbone.state === state, {
      what: `the backbone is ${state}`,
      timeoutMs: 30_000,
    });
  }

  /** Starts a product of n x n on four nodes and resolves when the head has it. */
  async multiply(n: number): Promise<UnderWay> {
    const file = (name: string): string => join(this.#folder, `${name}-${n}.npy`);
    const [a, b] = [1, 2].map((seed) =>
      writeExactMatrix(file(`operand-${seed}`), { dtype: 'float32', rows: n, columns: n, seed }),
    ) as [string, string];
    const files = { a, b, c: file('product') };
    const observer = await this.observer();
    const before = new Set((await observer.tasks()).map(({ taskId }) => taskId));
    const product = ['--task', 'matrix_mult', '--nodes', '4', '--a', a, '--b', b];
    const client = this.client(...product, '--out', files.c, '--json');
    const { taskId } = await waitUntil(async () => (await observer.tasks()).find((task) => !before.has(task.taskId)), {
      what: 'the head has the task',
      timeoutMs: 30_000,
    });
    return { task: taskId, files, client };
  }

  /** Resolves as soon as this share of the tiles is done. Fails when the task is over: then the fault would not hit it. */
  async reached({ task }: UnderWay, share: number): Promise<void> {
    const { state } = await waitUntil(
      async () => {
        const status = await this.task(task);
        return status.tiles > 0 && status.acceptedTiles >= share * status.tiles && status;
      },
      { what: `${100 * share} % of the task`, timeoutMs: 60_000 },
    );
    if (isTerminal(state)) throw new Error(`the task was over before the fault: ${state}`);
  }

  /** The client ends well, and the result is the product. */
  async expectRight({ client, files }: UnderWay): Promise<void> {
    const { code, stderr } = await client.ended();
    if (code !== 0) throw new Error(`the client ended with ${code}: ${stderr}\n${await this.#lastWords()}`);
    const wrong = wrongRows(files);
    if (wrong.length > 0) throw new Error(`${wrong.length} rows of the result are wrong`);
  }

  /** Containers, network and volumes go. */
  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
    await this.#observer?.close();
    await this.compose('down', '--volumes', '--remove-orphans');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A one-shot container has ended well; one with a health check is healthy. */
const isHealthy = ({ State: { Status, ExitCode, Health } }: Container): boolean =>
  Health === undefined ? Status === 'exited' && ExitCode === 0 : Status === 'running' && Health.Status === 'healthy';
