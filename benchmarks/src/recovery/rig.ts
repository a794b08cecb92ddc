/** A cluster of real processes with a running product, into which faults are injected. */
import { isTerminal, MusterError, type TaskStatus } from '@muster/shared';
import {
  ClusterUnderTest,
  freePortBase,
  givenAgain,
  leasesGiven,
  waitUntil,
  type LocalProgram,
} from '@muster/shared/testkit';
import { connectClient, RandomMatrix, type ClusterClient, type TaskHandle } from '@muster/user-client';

export interface RigOptions {
  readonly providers: number;
  readonly amqpUrl?: string;
  readonly headArguments?: readonly string[];
}

export interface Victim {
  readonly id: string;
  readonly name: string;
}

/** n of the product: takes some seconds on two cores, so that it is still running after every fault. */
const SIZE = 5120;
const PATIENCE_MS = 60_000;

export class RecoveryRig {
  readonly cluster: ClusterUnderTest;
  readonly client: ClusterClient;
  readonly #httpPort: number;
  #seed = 0;

  static async with<T>(options: RigOptions, body: (rig: RecoveryRig) => Promise<T>): Promise<T> {
    const rig = await RecoveryRig.#start(options);
    try {
      return await body(rig);
    } finally {
      await rig.client.close();
      await rig.cluster.end();
    }
  }

  static async #start({ providers, amqpUrl, headArguments = [] }: RigOptions): Promise<RecoveryRig> {
    const httpPort = await freePortBase();
    const cluster = await ClusterUnderTest.start({
      providers,
      // Leases are read from its log.
      headArguments: ['--http-port', String(httpPort), '--log-level', 'debug', ...headArguments],
      providerArguments: ['--threads', '1', '--device', 'cpu'],
      ...(amqpUrl !== undefined && { env: { AMQP_URL: amqpUrl } }),
    });
    return new RecoveryRig(cluster, await connectClient(cluster.endpoint), httpPort);
  }

  private constructor(cluster: ClusterUnderTest, client: ClusterClient, httpPort: number) {
    this.cluster = cluster;
    this.client = client;
    this.#httpPort = httpPort;
  }

  get head(): LocalProgram {
    return this.cluster.cluster.head;
  }

  /** Submits a product of n x n with new operands. */
  product(nodes: number, n = SIZE): Promise<TaskHandle> {
    const shape = { rows: n, columns: n, dtype: 'float32' } as const;
    this.#seed += 2;
    const [a, b] = [new RandomMatrix(this.#seed, shape), new RandomMatrix(this.#seed + 1, shape)];
    return this.client.multiply({ a, b, nodes });
  }

  /** Resolves once this share of the tiles is done. Throws BUG when the task is over by then, because a fault would not hit it. */
  async reached({ taskId }: TaskHandle, share: number): Promise<void> {
    const { state } = await waitUntil(
      async () => {
        const status = await this.client.task(taskId);
        return status.tiles > 0 && status.acceptedTiles >= share * status.tiles && status;
      },
      { what: `${100 * share} % of the task`, timeoutMs: PATIENCE_MS },
    );
    if (isTerminal(state)) throw new MusterError('BUG', `the task was ${state} before the fault`);
  }

  /** A node that holds a lease now: the one of this name, or any. */
  async busyNode({ taskId }: TaskHandle, wanted?: string): Promise<Victim> {
    return waitUntil(
      async () =>
        (await this.client.task(taskId)).nodes.find(
          ({ running, name }) => running > 0 && (wanted === undefined || name === wanted),
        ),
      { what: `${wanted ?? 'a node'} is at work`, timeoutMs: PATIENCE_MS },
    );
  }

  /** The process of a node that the cluster started. */
  programOf({ name }: Victim): LocalProgram {
    const program = this.cluster.cluster.providers[Number(name.slice('node-'.length)) - 1];
    if (program === undefined) throw new RangeError(`there is no ${name}`);
    return program;
  }

  /** Time in ms from `sinceMs` (wall clock) until another node was given work of the victim, according to the head's log. */
  async takenOver({ taskId }: TaskHandle, { id }: Victim, sinceMs: number): Promise<number> {
    return waitUntil(() => givenAgain(leasesGiven(this.head.stderr, taskId), { victim: id, sinceMs }).at(0), {
      what: 'another node has the work',
      timeoutMs: PATIENCE_MS,
    });
  }

  /** The final status of the task. Throws BUG unless every tile was verified: a fault may cost time only. */
  async finished(handle: TaskHandle): Promise<TaskStatus> {
    const status = await handle.wait();
    if (status.verifiedTiles === status.tiles && status.rejectedTiles === 0) return status;
    throw new MusterError('BUG', `${status.verifiedTiles} of ${status.tiles} tiles were verified after the fault`);
  }

  /** Value of a counter of the head since its start. */
  async counter(name: string): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.#httpPort}/metrics`)).text();
    return Number(new RegExp(`^muster_${name}_total (\\d+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  }
}
