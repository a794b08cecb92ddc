/** The head's cost of a step when many nodes train. They are emulated, because one machine has too few cores. */
import { parseTrainingOptions, presetModel, type Preset } from '@muster/shared';
import { waitUntil, type LocalCluster } from '@muster/shared/testkit';
import type { ClusterClient } from '@muster/user-client';
import { TrainingLoop } from '../baselines/training-loop.ts';
import { withCluster } from '../cluster.ts';
import { median } from '../stats.ts';
import { BenchSamples } from '../training/bench-samples.ts';
import type { Emulation } from '../training/emulated-compute.ts';
import { EmulatedCrowd } from '../training/emulated-crowd.ts';
import { programCpuMs } from '../training/program-cpu.ts';
import { runWindow } from '../training/run-window.ts';
import type { StepWindow } from '../training/step-window.ts';

export interface CrowdRow {
  readonly model: Preset;
  readonly batch: number;
  /** All of them are emulated: they wait for as long as one core would compute. */
  readonly emulatedProviders: number;
  readonly repetitions: number;
  /** Median time of a step. */
  readonly ms: number;
  /** The part of it spent waiting in place of computing. */
  readonly waitMs: number;
  /** The rest, per provider: work of head, emulated providers and system on the cores of this machine. */
  readonly overheadMsPerProvider: number;
  /** CPU time of the head and its child processes, per step and provider; null where the system does not report it. Median. */
  readonly headMsPerProvider: number | null;
  /** Shards that an audit found wrong; unless it is 0, the measurement is void. */
  readonly disputed: number;
}

export interface CrowdOptions {
  readonly counts: readonly number[];
  /** Samples per step and provider. */
  readonly samples: number;
  readonly steps: number;
  readonly repetitions: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: CrowdRow) => void;
}

/** As many as MNIST has: that decides how often a checkpoint comes (every epoch) and how many blocks a lease names. */
const SAMPLES = 60_000;
const MODEL = 'lenet';
/** So small that no weight moves: then shards of equal samples have equal gradients. */
const TRAINING = { optimizer: 'momentum', schedule: 'constant', learningRate: 1e-20 } as const;

export async function measureCrowd(options: CrowdOptions): Promise<CrowdRow[]> {
  const set = BenchSamples.alike(SAMPLES);
  const emulation = await calibrated(set, options.samples);
  return withCluster({ providers: 0, blocks: 'auto', signal: options.signal }, async (client, cluster) => {
    const crowd = new EmulatedCrowd(cluster, emulation);
    try {
      return await new CrowdBench({ ...options, client, cluster, crowd, set, emulation }).rows();
    } finally {
      await crowd.stop();
    }
  });
}

interface Setting extends CrowdOptions {
  readonly client: ClusterClient;
  readonly cluster: LocalCluster;
  readonly crowd: EmulatedCrowd;
  readonly set: BenchSamples;
  readonly emulation: Emulation;
}

class CrowdBench {
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async rows(): Promise<CrowdRow[]> {
    const rows: CrowdRow[] = [];
    for (const count of this.#setting.counts) {
      const row = await this.#rowFor(count);
      this.#setting.onRow(row);
      rows.push(row);
    }
    return rows;
  }

  async #rowFor(count: number): Promise<CrowdRow> {
    const { client, crowd, samples, repetitions, emulation } = this.#setting;
    await crowd.growTo(count);
    await waitUntil(async () => (await client.readyNodes()) === count, { what: `${count} nodes are ready` });
    const waitMs = samples * emulation.msPerSample;
    const windows: CrowdWindow[] = [];
    while (windows.length < repetitions) windows.push(await this.#window(count, waitMs));
    return crowdRow({ batch: samples * count, count, waitMs }, windows);
  }

  async #window(count: number, stepMs: number): Promise<CrowdWindow> {
    const { client, cluster, set, samples, steps, signal } = this.#setting;
    const cpu: (number | null)[] = [];
    const onEdge = (): void => void cpu.push(programCpuMs(cluster.head.process.pid));
    const training = { ...TRAINING, batch: samples * count };
    const run = { model: MODEL, nodes: count, samples: set, training, steps, stepMs, signal, onEdge } as const;
    return { ...(await runWindow(client, run)), headMs: difference(cpu) };
  }
}

/** The sums of one sample, and the time that a sample of a batch takes one core. */
async function calibrated(set: BenchSamples, batch: number): Promise<Emulation> {
  const model = presetModel(MODEL, { input: set.layout.features, classes: 10 });
  const loop = await TrainingLoop.open({ model, samples: set, options: parseTrainingOptions({ ...TRAINING, batch }) });
  try {
    const ofSample = await loop.sumsOf(0, 1);
    await loop.run(2);
    return { ofSample, msPerSample: (await loop.run(4)) / batch };
  } finally {
    await loop.release();
  }
}

export interface CrowdWindow extends Pick<StepWindow, 'ms' | 'steps' | 'disputed'> {
  readonly headMs: number | null;
}

function difference([before = null, after = null]: readonly (number | null)[]): number | null {
  return before === null || after === null ? null : after - before;
}

export function crowdRow(
  { batch, count, waitMs }: { readonly batch: number; readonly count: number; readonly waitMs: number },
  windows: readonly CrowdWindow[],
): CrowdRow {
  const ms = median(windows.map((window) => window.ms / window.steps));
  const head = windows.flatMap(({ headMs, steps }) => (headMs === null ? [] : headMs / steps / count));
  return {
    model: MODEL,
    batch,
    ms,
    waitMs,
    emulatedProviders: count,
    repetitions: windows.length,
    overheadMsPerProvider: (ms - waitMs) / count,
    headMsPerProvider: head.length === 0 ? null : median(head),
    disputed: windows.reduce((sum, { disputed }) => sum + disputed, 0),
  };
}
