/** The cost of the broker behind the head: the same echo with ZeroMQ only, mirrored, and through the broker first, on one cluster. */
import { constants } from 'node:os';
import { MusterError, type Durability, type TaskStatus } from '@muster/shared';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { waitUntil } from '@muster/shared/testkit';
import type { ClusterClient, TaskHandle } from '@muster/user-client';
import { cpuTimeMs } from '../broker-cpu.ts';
import { withCluster } from '../cluster.ts';
import { checkComplete, MirrorWatch, type MirrorPeaks } from '../mirror-watch.ts';
import { dueTimesMs, paced } from '../pace.ts';
import { median, percentile } from '../stats.ts';
import { measureBlocks, type BlocksRow } from './mirror-blocks.ts';

export type MirrorLoad = 'paced' | 'saturated';

export interface EchoMirrorRow {
  readonly kind: 'echo';
  readonly load: MirrorLoad;
  readonly durability: Durability;
  readonly providers: number;
  /** Subtasks of one run. */
  readonly count: number;
  readonly repetitions: number;
  /** Rate until the broker had confirmed all of them (local: until they were accepted); null if the mirror was not sustained. */
  readonly subtasksPerSecond: number | null;
  /** One lease of 64 subtasks from dispatch to acceptance, by the head's clock. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** p50Ms less that of the local row of the same load. */
  readonly p50OverLocalMs: number;
  /** The mirror was never more than `BEHIND_MAX_MS` behind. */
  readonly sustained: boolean;
  /** Worst of all repetitions. */
  readonly worstLagMs: number;
  readonly worstOutbox: number;
  readonly caughtUpMs: number;
  /** CPU time of the broker's process per subtask; null where the system does not report it. */
  readonly brokerCpuUs: number | null;
}

export type MirrorRow = EchoMirrorRow | BlocksRow;

export interface MirrorOptions {
  readonly providers: number;
  readonly repetitions: number;
  /** Factor on the number of subtasks. */
  readonly scale: number;
  /** n of the product whose blocks are mirrored. */
  readonly size: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: MirrorRow) => void;
}

/** A mirror that is further behind does not count as one. */
export const BEHIND_MAX_MS = 2000;
const PACED_PER_SECOND = 10_000;
const BATCH = 64;
const COUNTS: Readonly<Record<MirrorLoad, number>> = { paced: 50_000, saturated: 300_000 };
const WARM_UP_SHARE = 0.2;
/** Time in which the head must take the results that providers published out of their queue. */
const DRAIN_MS = 30_000;

export async function measureMirror(options: MirrorOptions): Promise<MirrorRow[]> {
  const { providers, signal } = options;
  const broker = await RabbitNode.start({ priority: BROKER_PRIORITY });
  try {
    const echoes = await withCluster({ providers, blocks: 'auto', amqpUrl: broker.url, signal }, async (client) => {
      const rows = await new EchoBench({ ...options, client, broker }).rows();
      await checkDrained(broker);
      return rows;
    });
    return [...echoes, ...(await measureBlocks({ ...options, amqpUrl: broker.url }))];
  } finally {
    await broker.stop();
  }
}

/**
 * A real broker has a machine of its own, or a core to spare. Here it competes with head and providers for cores while it writes what
 * they have already sent; at a lower priority it waits instead, which `worstLagMs` shows.
 */
const BROKER_PRIORITY = constants.priority.PRIORITY_BELOW_NORMAL;

interface Setting extends MirrorOptions {
  readonly client: ClusterClient;
  readonly broker: RabbitNode;
}

interface Case {
  readonly load: MirrorLoad;
  readonly durability: Durability;
}

/** One run of one case. */
export interface EchoRun extends MirrorPeaks {
  readonly subtasksPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly brokerCpuUs: number | null;
}

const loads: readonly MirrorLoad[] = ['paced', 'saturated'];
const kinds: readonly Durability[] = ['local', 'mirrored', 'strict'];

class EchoBench {
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async rows(): Promise<EchoMirrorRow[]> {
    const rows: EchoMirrorRow[] = [];
    for (const load of loads) rows.push(...(await this.#rowsOf(load)));
    return rows;
  }

  /** In turns, so that a machine that becomes slower affects all kinds. */
  async #rowsOf(load: MirrorLoad): Promise<EchoMirrorRow[]> {
    const { repetitions, onRow } = this.#setting;
    const runs: Record<Durability, EchoRun[]> = { local: [], mirrored: [], strict: [] };
    for (const durability of kinds) await this.#run({ load, durability }, WARM_UP_SHARE);
    for (let round = 0; round < repetitions; round++)
      for (const durability of kinds) runs[durability].push(await this.#run({ load, durability }, 1));
    const { providers } = this.#setting;
    const count = this.#countOf(load, 1);
    const localP50Ms = median(runs.local.map(({ p50Ms }) => p50Ms));
    const rows = kinds.map((durability) =>
      echoRow({ load, durability, providers, count, localP50Ms }, runs[durability]),
    );
    rows.forEach(onRow);
    return rows;
  }

  async #run({ load, durability }: Case, share: number): Promise<EchoRun> {
    const { client, broker, signal } = this.#setting;
    signal.throwIfAborted();
    await waitUntil(async () => (await client.cluster()).backbone.state === 'up', { what: 'the broker is up' });
    const count = this.#countOf(load, share);
    const cpuBefore = cpuTimeMs(broker.pid);
    const watch = new MirrorWatch(client);
    try {
      const run = load === 'paced' ? this.#paced(durability, count) : this.#saturated(durability, count);
      const { statuses, wallMs } = await run((last) => watch.last(last));
      const peaks = await watch.caughtUp();
      const cpuAfter = cpuTimeMs(broker.pid);
      await checkComplete(client);
      checkDurability(statuses, durability);
      return {
        ...peaks,
        ...latencyOf(statuses),
        subtasksPerSecond: (count * 1000) / wallMs,
        brokerCpuUs: cpuBefore === null || cpuAfter === null ? null : ((cpuAfter - cpuBefore) * 1000) / count,
      };
    } finally {
      await watch.stop();
    }
  }

  #countOf(load: MirrorLoad, share: number): number {
    return BATCH * Math.ceil((COUNTS[load] * this.#setting.scale * share) / BATCH);
  }

  #saturated(durability: Durability, count: number): Run {
    return async (onLast) => {
      const { client, providers, signal } = this.#setting;
      const handle = await client.echo({ count, batch: BATCH, nodes: providers, durability, signal });
      onLast(handle.taskId);
      const status = await handle.wait();
      return { statuses: [status], wallMs: status.wallMs };
    };
  }

  /**
   * One task for each lease, on a schedule: a task's latency is exactly that of its lease, and percentiles over tasks are percentiles
   * over leases. A task of many leases would hand them out in a burst and measure the queue that the burst makes. The price is 156
   * submissions per second, the same for all kinds, with records of their own in the broker: for its CPU per subtask see 'saturated'.
   */
  #paced(durability: Durability, count: number): Run {
    return async (onLast) => {
      const { client, providers, signal } = this.#setting;
      const submitted: Promise<TaskHandle>[] = [];
      const startMs = performance.now();
      await paced(dueTimesMs({ perSecond: PACED_PER_SECOND, slice: BATCH, count }), () => {
        signal.throwIfAborted();
        submitted.push(client.echo({ count: BATCH, batch: BATCH, nodes: providers, durability }));
      });
      const handles = await Promise.all(submitted);
      onLast(handles.at(-1)?.taskId ?? '');
      const statuses = await Promise.all(handles.map((handle) => handle.wait()));
      return { statuses, wallMs: performance.now() - startMs };
    };
  }
}

type Run = (onLast: (task: string) => void) => Promise<{ readonly statuses: TaskStatus[]; readonly wallMs: number }>;

/** Of a single task its own latencies; of many tasks with one lease each, percentiles over all of them. */
function latencyOf(statuses: readonly TaskStatus[]): Pick<EchoRun, 'p50Ms' | 'p99Ms'> {
  const [only, second] = statuses;
  if (only !== undefined && second === undefined) return { p50Ms: only.latencyMs.p50, p99Ms: only.latencyMs.p99 };
  const times = statuses.map(({ latencyMs }) => latencyMs.p50);
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** A task that ended as `local`, because the broker was away, does not measure a mirror. Throws BUG. */
function checkDurability(statuses: readonly TaskStatus[], durability: Durability): void {
  const other = statuses.find((status) => status.durability !== durability);
  if (other === undefined) return;
  throw new MusterError('BUG', `a task that was to be ${durability} ended as ${other.durability}`);
}

export interface EchoCase extends Case {
  readonly providers: number;
  readonly count: number;
  /** Median of the local runs of the same load. */
  readonly localP50Ms: number;
}

/** Medians over the runs; of lag, outbox and time to catch up, the worst. */
export function echoRow({ localP50Ms, ...rest }: EchoCase, runs: readonly EchoRun[]): EchoMirrorRow {
  const middle = (of: (run: EchoRun) => number): number => median(runs.map(of));
  const worst = (of: (run: EchoRun) => number): number => Math.max(...runs.map(of));
  const worstLagMs = worst((run) => run.worstLagMs);
  const sustained = worstLagMs <= BEHIND_MAX_MS;
  const p50Ms = middle((run) => run.p50Ms);
  return {
    kind: 'echo',
    ...rest,
    repetitions: runs.length,
    subtasksPerSecond: sustained ? middle((run) => run.subtasksPerSecond) : null,
    p50Ms,
    p99Ms: middle((run) => run.p99Ms),
    p50OverLocalMs: p50Ms - localP50Ms,
    sustained,
    worstLagMs,
    worstOutbox: worst((run) => run.worstOutbox),
    caughtUpMs: worst((run) => run.caughtUpMs),
    brokerCpuUs: runs.some((run) => run.brokerCpuUs === null) ? null : middle((run) => run.brokerCpuUs ?? 0),
  };
}

/** The head takes published results out of their queue again, so all queues end up empty; streams, which keep everything, do not count. */
async function checkDrained(broker: RabbitNode): Promise<void> {
  await waitUntil(async () => (await broker.queued()).size === 0, {
    what: 'the queues are empty',
    timeoutMs: DRAIN_MS,
  });
}
