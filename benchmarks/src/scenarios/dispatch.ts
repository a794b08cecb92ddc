import type { TaskStatus } from '@muster/shared';
import type { ClusterClient } from '@muster/user-client';
import { withCluster } from '../cluster.ts';
import { medianBy, percentile } from '../stats.ts';

export type DispatchMode = 'batched' | 'unbatched' | 'round trip' | 'submit to accept';

export interface DispatchRow {
  readonly mode: DispatchMode;
  readonly providers: number;
  /** Subtasks of one run; for 'submit to accept', tasks. */
  readonly count: number;
  /** `count` over the head's wall time of the task; null where no rate is measured. */
  readonly subtasksPerSecond: number | null;
  /** One lease from dispatch to acceptance, on the head's clock; 'submit to accept': one submission, on the client's. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface DispatchOptions {
  readonly providers: readonly number[];
  /** Timed runs of each mode; the one with the median rate is reported. */
  readonly repetitions: number;
  /** Factor on all counts. */
  readonly scale: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: DispatchRow) => void;
}

export interface Load {
  readonly mode: DispatchMode;
  readonly count: number;
  readonly batch: number;
  readonly window?: number;
}

/** Subtasks carry 64 bytes there and back. */
export const loads: readonly Load[] = [
  { mode: 'batched', count: 300_000, batch: 64 },
  { mode: 'unbatched', count: 60_000, batch: 1 },
  { mode: 'round trip', count: 2000, batch: 1, window: 1 },
];
const SUBMISSIONS = 200;
/** Share of the load that runs before the clock starts. */
export const WARM_UP_SHARE = 0.1;

export async function measureDispatch(options: DispatchOptions): Promise<DispatchRow[]> {
  const rows: DispatchRow[] = [];
  for (const providers of options.providers) {
    rows.push(
      ...(await withCluster({ providers, blocks: 'auto', signal: options.signal }, (client) =>
        rowsFor(client, providers, options),
      )),
    );
  }
  return rows;
}

async function rowsFor(client: ClusterClient, providers: number, options: DispatchOptions): Promise<DispatchRow[]> {
  const rows: DispatchRow[] = [];
  const measured = (row: DispatchRow): void => {
    options.onRow(row);
    rows.push(row);
  };
  for (const load of loads) {
    const scaled = { ...load, count: Math.ceil(load.count * options.scale) };
    measured(await measureLoad({ ...options, client, providers }, scaled));
  }
  measured(await measureSubmissions({ ...options, client, providers }, Math.ceil(SUBMISSIONS * options.scale)));
  return rows;
}

interface LoadSetting extends Pick<DispatchOptions, 'signal'> {
  readonly client: ClusterClient;
  readonly providers: number;
}

interface Setting extends LoadSetting, Pick<DispatchOptions, 'repetitions'> {}

async function measureLoad(setting: Setting, load: Load): Promise<DispatchRow> {
  await runLoad(setting, { ...load, count: Math.ceil(load.count * WARM_UP_SHARE) });
  const runs: TaskStatus[] = [];
  while (runs.length < setting.repetitions) runs.push(await runLoad(setting, load));
  const { wallMs, latencyMs } = medianBy(runs, (run) => run.wallMs);
  const { mode, count } = load;
  const subtasksPerSecond = (count * 1000) / wallMs;
  return { mode, providers: setting.providers, count, subtasksPerSecond, p50Ms: latencyMs.p50, p99Ms: latencyMs.p99 };
}

export async function runLoad(
  { client, providers, signal }: LoadSetting,
  { count, batch, window }: Load,
): Promise<TaskStatus> {
  const handle = await client.echo({ count, batch, window, nodes: providers, signal });
  return handle.wait();
}

/** One after the other: each is submitted when the one before has ended. */
async function measureSubmissions({ client, providers, signal }: Setting, count: number): Promise<DispatchRow> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const startMs = performance.now();
    const handle = await client.echo({ count: 1, nodes: providers, signal });
    times.push(performance.now() - startMs);
    await handle.wait();
  }
  const [p50Ms, p99Ms] = [percentile(times, 0.5), percentile(times, 0.99)];
  return { mode: 'submit to accept', providers, count, subtasksPerSecond: null, p50Ms, p99Ms };
}
