/** A cluster of real processes, a product under way on it, and somebody who watches the head while it is disturbed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isTerminal, type BackboneReport, type NodeStatus, type TaskBrief, type TaskStatus } from '@muster/shared';
import {
  ClusterUnderTest,
  freePortBase,
  leasesGiven,
  waitUntil,
  writeExactMatrix,
  wrongRows,
  type LeaseGiven,
  type LocalClusterOptions,
  type LocalProgram,
  type Place,
} from '@muster/shared/testkit';
import { connectClient, type ClusterClient } from '@muster/user-client';
import { fromRanges } from '../../src/core/index-ranges.ts';

export interface Submitted {
  readonly task: string;
  /** The waiting `user-client`. */
  readonly client: LocalProgram;
}

export interface UnderWay extends Submitted {
  readonly files: { readonly a: string; readonly b: string; readonly c: string };
}

/** [m, k, n] */
export type Shape = readonly [number, number, number];

export interface BusyNode {
  readonly id: string;
  readonly name: string;
  readonly program: LocalProgram;
}

export class FaultRig {
  readonly cluster: ClusterUnderTest;
  readonly observer: ClusterClient;
  readonly httpPort: number;
  readonly #providers: Map<string, LocalProgram>;

  static async start(options: LocalClusterOptions): Promise<FaultRig> {
    const httpPort = await freePortBase();
    const headArguments = ['--http-port', String(httpPort), '--log-level', 'debug', ...(options.headArguments ?? [])];
    const cluster = await ClusterUnderTest.start({ providerArguments: ['--threads', '1'], ...options, headArguments });
    return new FaultRig(cluster, await connectClient(cluster.endpoint), httpPort);
  }

  private constructor(cluster: ClusterUnderTest, observer: ClusterClient, httpPort: number) {
    this.cluster = cluster;
    this.observer = observer;
    this.httpPort = httpPort;
    this.#providers = new Map(cluster.cluster.providers.map((program, at) => [`node-${at + 1}`, program]));
  }

  /** Starts `user-client` with a product and resolves when the head has it. */
  async multiply([m, k, n]: Shape, nodes: number, more: readonly string[] = []): Promise<UnderWay> {
    const file = (name: string): string => this.cluster.file(`${name}-${m}-${k}-${n}.npy`);
    const files = { a: file('a'), b: file('b'), c: file('c') };
    writeExactMatrix(files.a, { dtype: 'float32', rows: m, columns: k, seed: 1 });
    writeExactMatrix(files.b, { dtype: 'float32', rows: k, columns: n, seed: 2 });
    const operands = ['--a', files.a, '--b', files.b, '--out', files.c];
    const started = await this.submit('--task', 'matrix_mult', '--nodes', String(nodes), ...operands, ...more);
    return { ...started, files };
  }

  /** Starts `user-client` and resolves when the head has its task. */
  async submit(...args: readonly string[]): Promise<Submitted> {
    const before = new Set((await this.observer.tasks()).map(({ taskId }) => taskId));
    const client = this.cluster.client(...args, '--json');
    const isNew = async (): Promise<TaskBrief | undefined> =>
      (await this.observer.tasks()).find((task) => !before.has(task.taskId));
    const isSettled = async (): Promise<boolean> => (await isNew()) !== undefined || !client.alive;
    await waitUntil(isSettled, { what: 'the head has the task', timeoutMs: 30_000 });
    const { taskId } = (await isNew()) ?? (await failed(client));
    return { task: taskId, client };
  }

  /** Resolves as soon as this share of the tiles is done. Fails when the task is over: then the fault would not hit it. */
  reached({ task }: Submitted, share: number): Promise<TaskStatus> {
    return waitUntil(
      async () => {
        const status = await this.observer.task(task);
        return status.tiles > 0 && status.acceptedTiles >= share * status.tiles && status;
      },
      { what: `${100 * share} % of the task`, timeoutMs: 60_000 },
    ).then((status) => {
      if (isTerminal(status.state)) throw new Error(`the task was over before the fault: ${status.state}`);
      return status;
    });
  }

  /** The client ends well, and the result is the product. */
  async expectRight({ client, files }: UnderWay): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await client.ended();
    if (code !== 0) throw new Error(`the client ended with ${code}: ${stderr}\nhead:\n${this.#headLog()}`);
    const wrong = wrongRows(files);
    if (wrong.length > 0) throw new Error(`${wrong.length} rows of the result are wrong`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** A node that holds a lease now; by its name, or any. */
  async busyNode({ task }: Submitted, wanted?: string): Promise<BusyNode> {
    const { id, name } = await waitUntil(
      async () =>
        (await this.observer.task(task)).nodes.find(
          (node) => node.running > 0 && (wanted === undefined || node.name === wanted),
        ),
      { what: `${wanted ?? 'a node'} is at work` },
    );
    return { id, name, program: this.program(name) };
  }

  /** The latest process of that name. */
  program(name: string): LocalProgram {
    const program = this.#providers.get(name);
    if (program === undefined) throw new Error(`there is no ${name}`);
    return program;
  }

  /** A node that left or was killed comes back, with its old identity; or a new one with arguments of its own comes. */
  async rejoin(name: string, extra: readonly string[] = [], place?: Place): Promise<LocalProgram> {
    const program = await this.cluster.cluster.addProvider(name, extra, place);
    this.#providers.set(name, program);
    return program;
  }

  /** Every subtask was accepted from one node, once. */
  async expectOnce({ task }: Submitted): Promise<void> {
    const { tiles, acceptedTiles, verifiedTiles, nodes } = await this.observer.task(task);
    const sum = nodes.reduce((subtasks, node) => subtasks + node.subtasks, 0);
    if (acceptedTiles !== tiles || verifiedTiles !== tiles || sum !== tiles)
      throw new Error(`of ${tiles} subtasks ${acceptedTiles} are accepted, ${verifiedTiles} verified, ${sum} credited`);
  }

  /** Subtasks that the journal has as accepted. */
  async acceptedOf({ task }: UnderWay): Promise<Set<number>> {
    const { rows } = await this.observer.audit(task);
    return new Set(rows.filter(({ node }) => node !== '').flatMap(({ from, to }) => fromRanges([from, to])));
  }

  /** Subtasks that a node has finished since then (wall clock), and of which it knows no head that has them. */
  finishedBy(name: string, sinceMs = 0): number[] {
    const folder = join(this.cluster.cluster.directory, name, 'spool');
    const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
    const spooled = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Spooled);
    // A result is noted down only some time after it was made, and one that is not there a head has taken.
    const finished = spooled.filter(({ result }) => madeMs(result.path) >= sinceMs);
    return finished.flatMap(({ ranges }) => fromRanges(ranges));
  }

  /** The broker as the head sees it. */
  async backbone(): Promise<BackboneReport> {
    return (await this.observer.cluster()).backbone;
  }

  node(id: string): Promise<NodeStatus | undefined> {
    return this.observer.nodes().then((nodes) => nodes.find((node) => node.id === id));
  }

  /** A counter of the head, since its start. */
  async counter(name: string): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.httpPort}/metrics`)).text();
    const value = new RegExp(`^muster_${name}_total (\\d+)$`, 'm').exec(metrics)?.[1];
    if (value === undefined) throw new Error(`the head has no counter ${name}`);
    return Number(value);
  }

  /** What this head logged about the leases of a task. */
  leasesOf(task: string): LeaseGiven[] {
    return leasesGiven(this.cluster.cluster.head.stderr, task);
  }

  /** Subtasks that this head gave out, each as often as it did. */
  givenOf({ task }: UnderWay): number[] {
    return this.leasesOf(task).flatMap(({ ranges }) => fromRanges(ranges));
  }

  async end(): Promise<void> {
    await this.observer.close();
    await this.cluster.end();
  }

  #headLog(): string {
    const lines = this.cluster.cluster.head.stderr.split('\n');
    return lines
      .filter((line) => !line.includes('"lease given"'))
      .slice(-20)
      .join('\n');
  }
}

/** Rejects with what a client said that has ended already. */
async function failed(client: LocalProgram): Promise<never> {
  const { code, stderr } = await client.ended();
  throw new Error(`the client ended with ${code}: ${stderr}`);
}

const madeMs = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1;

interface Spooled {
  readonly ranges: readonly number[];
  readonly result: { readonly path: string };
}
