import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePortBase, waitUntil } from '@muster/shared/testkit';
import { connect } from 'amqplib';
import type { Certificate } from './certificates.ts';
import { findRabbitServer } from './find-rabbitmq.ts';

export interface RabbitNodeOptions {
  /** Lines of rabbitmq.conf; those that would reach outside the node are replaced. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly plugins?: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly vhost?: string;
  /** Also listen with TLS, requiring client certificates of this authority. Not with rabbitmq_prometheus, which has the same port. */
  readonly tls?: Certificate & { readonly ca: string };
  /** Priority of its process, -20 (highest) to 19: see os.setPriority. */
  readonly priority?: number;
}

/** A boot takes 5 s on two idle cores. */
const BOOT_TIMEOUT_MS = 90_000;
/** After a SIGKILL its name or a port may be taken for a moment longer. */
const STARTS_MAX = 3;

/** `+sbwt none`: Erlang schedulers otherwise busy-wait before they sleep, which slows everything else on a small machine. */
const ERLANG_ARGUMENTS = '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none';

const run = promisify(execFile);

/**
 * A private RabbitMQ: its own node name, ports, data and port mapper, all on 127.0.0.1, so that it does not collide with another broker of
 * the machine and leaves nothing behind. Runs until `stop`, or until this process exits.
 */
export class RabbitNode {
  readonly url: string;
  readonly port: number;
  readonly managementPort: number;
  /** Listens only with the option `tls`. */
  readonly tlsPort: number;
  readonly #server: string;
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #priority: number;
  readonly #onExit = (): void => this.#killAtOnce();
  #process: ChildProcess | undefined;

  /** Resolves when it accepts connections. Rejects with the reason when it is not installed or does not come up. */
  static async start(options: RabbitNodeOptions = {}): Promise<RabbitNode> {
    const server = findRabbitServer();
    if (!server) throw new Error('rabbitmq-server is not installed (set RABBITMQ_SERVER to its path)');
    const node = new RabbitNode(server, options, await freePortBase());
    await node.restart();
    return node;
  }

  private constructor(server: string, options: RabbitNodeOptions, portBase: number) {
    const { user = 'guest', password = 'guest', vhost = '/' } = options;
    this.#server = server;
    this.#priority = options.priority ?? 0;
    this.port = portBase;
    this.managementPort = portBase + 3;
    this.tlsPort = portBase + 4;
    this.url = `amqp://${user}:${password}@127.0.0.1:${this.port}/${encodeURIComponent(vhost)}`;
    this.#folder = mkdtempSync(join(tmpdir(), 'muster-rabbit-'));
    this.#environment = nodeEnvironment(this.#folder, portBase);
    writeConfiguration(this.#folder, portBase, options);
    process.on('exit', this.#onExit);
  }

  /** Pid of the Erlang VM itself; undefined while it is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** SIGKILL: nothing is flushed, no client is told. What was written remains for `restart`. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM, as an operator stops it: clients are told, everything is flushed to disk. The data remains for `restart`. */
  shutDown(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /**
   * Flushes the registry of queues to disk. Raft writes it every 500 ms: a queue declared less than that before a `kill` is listed
   * afterwards but never works again, which is a fault of the broker and not of the program under test.
   */
  async sync(): Promise<void> {
    await this.control('eval', '[dets:sync(Table) || Table <- dets:all()].');
  }

  /** Starts it, keeping its data. Rejects with the end of its log when it does not come up. */
  async restart(): Promise<void> {
    await this.kill();
    for (let start = 1; start <= STARTS_MAX; start++) {
      this.#spawn();
      const wait = { what: `RabbitMQ on port ${this.port}`, timeoutMs: BOOT_TIMEOUT_MS };
      if ((await waitUntil(() => this.#outcome(), wait)) === 'accepts') return;
    }
    throw new Error(`RabbitMQ exited: ${readFileSync(this.#startLog, 'utf8').slice(-2000)}`);
  }

  get #startLog(): string {
    return join(this.#folder, 'start.log');
  }

  #spawn(): void {
    const log = openSync(this.#startLog, 'a');
    // With this variable the script execs the Erlang VM instead of waiting for it.
    const env = { ...this.#environment, RABBITMQ_ALLOW_INPUT: '1' };
    this.#process = spawn(this.#server, ['-noinput'], { env, stdio: ['ignore', log, log] });
    closeSync(log);
    // Set before the VM has started its threads, which inherit the priority.
    if (this.#priority !== 0 && this.#process.pid !== undefined) setPriority(this.#process.pid, this.#priority);
  }

  /** Hangs (SIGSTOP) with its sockets open. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Below this much free disk the broker blocks its publishers. `size` in RabbitMQ's notation, such as `50MB`. */
  async setDiskFreeLimit(size: string): Promise<void> {
    await this.control('set_disk_free_limit', size);
  }

  /** Closes every client's connections at once. */
  async closeConnections(): Promise<void> {
    await this.control('close_all_connections', 'a test');
  }

  /** Messages by queue, unacknowledged ones included. Leaves out empty queues, and streams, which keep what was read. */
  async queued(): Promise<Map<string, number>> {
    const table = await this.control('list_queues', '--no-table-headers', 'name', 'type', 'messages');
    const queues = table.split('\n').map((line) => line.split('\t'));
    const filled = queues.filter(([name, type, messages]) => name !== '' && type !== 'stream' && messages !== '0');
    return new Map(filled.map(([name = '', , messages]) => [name, Number(messages)]));
  }

  /** `rabbitmqctl` for this node; resolves to what it printed. Takes a second or two. */
  async control(...command: readonly string[]): Promise<string> {
    const program = join(dirname(this.#server), 'rabbitmqctl');
    const { stdout } = await run(program, ['--quiet', ...command], { env: this.#environment });
    return stdout;
  }

  /** Kills it and deletes its data. */
  async stop(): Promise<void> {
    await this.kill();
    process.off('exit', this.#onExit);
    this.#removeTraces();
  }

  #killAtOnce(): void {
    this.#process?.kill('SIGKILL');
    this.#removeTraces();
  }

  /** The port mapper (epmd) is a daemon that Erlang leaves behind; the one on this port serves only this node. */
  #removeTraces(): void {
    spawnSync('epmd', ['-kill'], {
      env: { ...this.#environment, ERL_EPMD_RELAXED_COMMAND_CHECK: '1' },
      stdio: 'ignore',
    });
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #outcome(): Promise<'accepts' | 'exited'> {
    const { exitCode, signalCode } = this.#process ?? { exitCode: 0, signalCode: null };
    if (exitCode !== null || signalCode !== null) return 'exited';
    const connection = await connect(this.url);
    await connection.close();
    return 'accepts';
  }
}

function nodeEnvironment(folder: string, portBase: number): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    // The Erlang cookie is created here, so no other node shares it.
    HOME: folder,
    RABBITMQ_NODENAME: `muster-${portBase}@localhost`,
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_DIST_PORT: String(portBase + 1),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: ERLANG_ARGUMENTS,
    ERL_EPMD_PORT: String(portBase + 2),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: '/dev/null',
  };
}

function writeConfiguration(folder: string, portBase: number, { settings, plugins, tls }: RabbitNodeOptions): void {
  const lines = {
    ...settings,
    'listeners.tcp.default': `127.0.0.1:${portBase}`,
    'log.console': 'false',
    ...(plugins?.includes('rabbitmq_management') && {
      'management.tcp.ip': '127.0.0.1',
      'management.tcp.port': String(portBase + 3),
    }),
    ...(plugins?.includes('rabbitmq_prometheus') && {
      'prometheus.tcp.ip': '127.0.0.1',
      'prometheus.tcp.port': String(portBase + 4),
    }),
    ...(tls && {
      'listeners.ssl.default': `127.0.0.1:${portBase + 4}`,
      'ssl_options.cacertfile': tls.ca,
      'ssl_options.certfile': tls.cert,
      'ssl_options.keyfile': tls.key,
      'ssl_options.verify': 'verify_peer',
      'ssl_options.fail_if_no_peer_cert': 'true',
    }),
  };
  const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
  for (const name of ['data', 'log', 'generated']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'rabbitmq.conf'), text.join(''));
  writeFileSync(join(folder, 'enabled_plugins'), `[${(plugins ?? []).join(',')}].\n`);
}
