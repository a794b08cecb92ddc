/**
 * A whole cluster of real processes on this machine, from the built programs: for the demo, benchmarks and chaos tests. All its files lie
 * in one temporary folder, which `stop` deletes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { readLocalCredential, removeLocalCredential } from '../io/local-credential.ts';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** shared/{src,dist}/testkit/local-cluster -> the repository. */
const root = fileURLToPath(new URL('../../../', import.meta.url));

export type Program = 'head-node' | 'provider-node' | 'user-client';

/** Another place to run a program in, such as a network namespace. */
export interface Place {
  /** The command line that runs `command` there, as the spawned process itself. */
  inside(command: readonly string[]): readonly string[];
}

const HERE: Place = { inside: (command) => command };

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LocalClusterOptions {
  readonly providers: number;
  readonly headArguments?: readonly string[];
  readonly providerArguments?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Stops everything when it aborts, also in the middle of the start. */
  readonly signal?: AbortSignal;
  /** Called with each line that a program writes to standard error. */
  readonly onLine?: (program: string, line: string) => void;
}

/** One started program. */
export class LocalProgram {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when the process has ended and its output is read. */
  readonly #closed: Promise<void>;
  #stderr = '';
  #stdout = '';

  constructor(name: string, child: ChildProcess, onLine: (program: string, line: string) => void) {
    this.name = name;
    this.process = child;
    this.#closed = new Promise((resolve) => child.once('close', () => resolve()));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      for (const line of text.split('\n')) if (line !== '') onLine(name, line);
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get alive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Resolves when `text` has appeared on standard error. Rejects when the program ends without it, or after `withinMs`. */
  async said(text: string, withinMs = 30_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!this.#stderr.includes(text)) {
      if (!this.alive || performance.now() > deadline)
        throw new Error(`${this.name} did not say '${text}':\n${this.#stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async ended(): Promise<Outcome> {
    await this.#closed;
    return { code: this.process.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** SIGTERM, then SIGKILL after 8 s. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    this.process.kill('SIGTERM');
    this.process.kill('SIGCONT');
    const impatience = setTimeout(() => this.process.kill('SIGKILL'), 8000);
    await this.#closed;
    clearTimeout(impatience);
  }
}

export class LocalCluster {
  readonly directory = mkdtempSync(join(tmpdir(), 'muster-cluster-'));
  readonly portBase: number;
  readonly providers: LocalProgram[] = [];
  head: LocalProgram;
  readonly #options: LocalClusterOptions;
  /** Clients that still run. */
  readonly #clients = new Set<LocalProgram>();
  /** Whoever waits for the start, or for a program, hears of it. */
  readonly #aborted = (): void => void this.stop().catch(() => undefined);

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    options.signal?.throwIfAborted();
    const cluster = new LocalCluster(options, await freePortBase());
    options.signal?.addEventListener('abort', cluster.#aborted);
    try {
      await cluster.head.said('head-node ready');
      await Promise.all(Array.from({ length: options.providers }, (_, at) => cluster.addProvider(`node-${at + 1}`)));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw options.signal?.aborted === true ? options.signal.reason : error;
    }
  }

  private constructor(options: LocalClusterOptions, portBase: number) {
    this.#options = options;
    this.portBase = portBase;
    this.head = this.#startHead();
  }

  /** Resolves when it has joined. */
  async addProvider(name: string, extra: readonly string[] = [], place?: Place): Promise<LocalProgram> {
    const own = ['--name', name, '--state', join(this.directory, name)];
    const provider = this.launch(
      'provider-node',
      [...own, ...(this.#options.providerArguments ?? []), ...extra],
      place,
    );
    this.providers.push(provider);
    await provider.said('joined ', 60_000);
    return provider;
  }

  /** Restarts a killed head with the same state and ports. */
  async restartHead(): Promise<void> {
    this.head = this.#startHead();
    await this.head.said('head-node ready');
  }

  /** Runs `user-client` to its end. */
  client(args: readonly string[]): Promise<Outcome> {
    return this.launch('user-client', args).ended();
  }

  launch(program: Program, args: readonly string[], place: Place = HERE): LocalProgram {
    const script = join(root, program, 'bin', `${program}.mjs`);
    const env = { ...process.env, ...this.#options.env };
    const ports = args.includes('--port-base') ? [] : ['--port-base', String(this.portBase)];
    const [command = '', ...rest] = place.inside([process.execPath, script, ...args, ...ports]);
    const child = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const launched = new LocalProgram(program, child, this.#options.onLine ?? (() => undefined));
    if (program === 'user-client') this.#keep(launched);
    return launched;
  }

  #keep(client: LocalProgram): void {
    this.#clients.add(client);
    void client.ended().then(() => this.#clients.delete(client));
  }

  /** May be called again: stops everything that was started until then. */
  async stop(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    await Promise.all([...this.#clients].map((client) => client.stop()));
    await Promise.all(this.providers.map((provider) => provider.stop()));
    await this.head.stop();
    // A killed head leaves its credential behind.
    removeLocalCredential(this.portBase, readLocalCredential(this.portBase)?.headId ?? '');
    rmSync(this.directory, { recursive: true, force: true });
  }

  #startHead(): LocalProgram {
    const state = ['--state', join(this.directory, 'head'), '--http-port', '0'];
    return this.launch('head-node', [...state, ...(this.#options.headArguments ?? [])]);
  }
}

const PORT_FIRST = 20_000;
const PORT_ROWS = 2500;
/** Disjoint rows of ports for Jest workers that run at the same time. */
const LANES = 4;
const lane = Number(process.env['JEST_WORKER_ID'] ?? 0) % LANES;
const given = new Set<number>();

/**
 * First of five free ports in a row, below the ephemeral range (from 32768), where an outgoing connection could take one before we do.
 * Never one that was returned before: its user may not listen yet, or may listen again.
 */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const row = lane + LANES * Math.floor((Math.random() * PORT_ROWS) / LANES);
    const base = PORT_FIRST + 5 * row;
    if (given.has(base)) continue;
    given.add(base);
    const free = await Promise.all([0, 1, 2, 3, 4].map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('found no five free ports in a row');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
