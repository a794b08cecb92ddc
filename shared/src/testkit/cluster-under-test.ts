import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { LocalCluster, type LocalClusterOptions, type LocalProgram, type Outcome } from './local-cluster.ts';
import { waitUntil } from './wait-until.ts';

/** Time for orphaned processes to see the end of their pipe and exit. */
const ORPHANS_LEAVE_MS = 5000;

/** A cluster of real processes that must leave nothing behind: its programs have a TMPDIR of their own, which `end` checks. */
export class ClusterUnderTest {
  readonly cluster: LocalCluster;
  /** Folder for operands and results; `end` deletes it. */
  readonly folder: string;
  readonly #temporary: string;
  readonly #clients = new Set<LocalProgram>();
  readonly #killed = new Set<LocalProgram>();

  static async start(options: LocalClusterOptions): Promise<ClusterUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), 'muster-'));
    const temporary = join(folder, 't');
    mkdirSync(temporary);
    try {
      const cluster = await LocalCluster.start({ ...options, env: { ...options.env, TMPDIR: temporary } });
      return new ClusterUnderTest(cluster, { folder, temporary });
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  private constructor(cluster: LocalCluster, { folder, temporary }: { folder: string; temporary: string }) {
    this.cluster = cluster;
    this.folder = folder;
    this.#temporary = temporary;
  }

  get endpoint(): { host: string; portBase: number } {
    return { host: '127.0.0.1', portBase: this.cluster.portBase };
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Starts `user-client`. */
  client(...args: readonly string[]): LocalProgram {
    const client = this.cluster.launch('user-client', args);
    this.#clients.add(client);
    return client;
  }

  /** Runs `user-client` to its end. */
  run(...args: readonly string[]): Promise<Outcome> {
    return this.client(...args).ended();
  }

  /** SIGKILL: no handler runs. Resolves when the process is gone. */
  async kill(program: LocalProgram): Promise<void> {
    this.#killed.add(program);
    program.process.kill('SIGKILL');
    await program.ended();
  }

  /** Stops everything in the usual order: clients, providers, head. Throws when a process, a lock or a temporary file is left. */
  async end(): Promise<void> {
    try {
      await Promise.all([...this.#clients].map((client) => client.stop()));
      await Promise.all(this.cluster.providers.map((provider) => provider.stop()));
      await this.cluster.head.stop();
      await waitUntil(() => this.#processes().length === 0, {
        what: 'every process has ended',
        timeoutMs: ORPHANS_LEAVE_MS,
      }).catch((error: unknown) => {
        throw new Error(`processes are left: ${this.#processes().join('; ')}`, { cause: error });
      });
      const left = [...this.#locks(), ...readdirSync(this.#temporary)];
      if (left.length > 0) throw new Error(`files are left: ${left.join(', ')}`);
    } finally {
      await this.cluster.stop();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  /** Our processes, found by TMPDIR in their environment; Linux only. */
  #processes(): string[] {
    if (process.platform !== 'linux') return [];
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/environ`).includes(`TMPDIR=${this.#temporary}\0`))
      .map((pid) => `${pid} ${textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
  }

  /** Locks that are left, except those of killed programs, which cannot remove them. */
  #locks(): string[] {
    const killed = new Set([...this.#killed].map(({ process: { pid } }) => pid));
    const files = readdirSync(this.cluster.directory, { recursive: true, encoding: 'utf8' });
    return files.filter(
      (file) =>
        basename(file) === 'lock' && !killed.has(Number.parseInt(textOf(join(this.cluster.directory, file)), 10)),
    );
  }
}

/** '' for a process that is gone, is a zombie, or belongs to another account. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
