/** The participants and tasks of one seed's run, drawn from the seed alone. */
import { taskTypeNamed, type Durability, type ProviderId, type TaskId, type TaskType } from '@muster/shared';
import { trainSpec } from '@muster/shared/testkit';
import { defaultPolicy, type Policy } from '@muster/head-node/core';
import type { Draw } from './draw.ts';
import type { Faults } from './faults.ts';

export interface ProviderTraits {
  readonly id: ProviderId;
  readonly name: string;
  /** Reads and writes the head's files, like a provider on the head's machine. */
  readonly sharesStore: boolean;
  /** Its claimed rate, and the factor by which it is slower in truth. */
  readonly gflops: number;
  readonly slowness: number;
  /** Probability that a result is wrong. */
  readonly lies: number;
  readonly latencyMs: number;
}

export interface TaskTraits {
  readonly id: TaskId;
  readonly type: TaskType<unknown>;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  readonly durability: Durability;
  readonly submitAtMs: number;
  /** Time after its submission; null: never. */
  readonly cancelAfterMs: number | null;
  readonly vanishAfterMs: number | null;
  readonly submitsTwice: boolean;
  /** Computing this subtask kills every compute process; null: none does. */
  readonly poison: number | null;
}

export interface Scenario {
  readonly providers: readonly ProviderTraits[];
  readonly tasks: readonly TaskTraits[];
  readonly hasBroker: boolean;
  /** If all results together take more, those of ended tasks are dropped, the oldest first. */
  readonly maxResultBytes: number;
  readonly policy: Policy;
  /** After this time no new faults are injected. */
  readonly faultsUntilMs: number;
}

export function drawScenario(draw: Draw, faults: Faults): Scenario {
  const faultsUntilMs = faults.on.size === 0 ? 5000 : draw.between(15_000, 90_000);
  const providers = Array.from({ length: draw.whole(1, 6) }, (_, at) => drawProvider(draw, faults, at));
  const tasks = Array.from({ length: draw.whole(1, 12) }, () =>
    drawTask(draw, faults, { faultsUntilMs, nodes: providers.length }),
  );
  const hasBroker = draw.chance(0.6);
  const resultTtlMs = draw.chance(0.1) ? 70_000 : defaultPolicy.resultTtlMs;
  const maxResultBytes = faults.has('small-store') ? 2 ** 27 : Infinity;
  return { providers, tasks, hasBroker, maxResultBytes, policy: { ...defaultPolicy, resultTtlMs }, faultsUntilMs };
}

function drawProvider(draw: Draw, faults: Faults, at: number): ProviderTraits {
  // The first provider is honest, so that the work can always be done.
  const lies = at > 0 && faults.has('liar') && draw.chance(0.5) ? draw.pick([0.05, 0.5, 1]) : 0;
  const slow = at > 0 && faults.has('slow') && draw.chance(0.5);
  if (slow) faults.count('slow');
  return {
    id: `a${at}`.padEnd(16, '0') as ProviderId,
    name: `p${at}`,
    sharesStore: draw.chance(0.5),
    gflops: draw.between(0.5, 5),
    slowness: slow ? draw.between(5, 50) : draw.between(0.8, 1.3),
    lies,
    latencyMs: draw.pick([0.1, 1, 20]),
  };
}

interface Frame {
  readonly faultsUntilMs: number;
  readonly nodes: number;
}

function drawTask(draw: Draw, faults: Faults, { faultsUntilMs, nodes }: Frame): TaskTraits {
  const kind = draw.pick(kinds);
  const type = taskTypeNamed(kind);
  const vanishes = faults.has('client-loss') && draw.chance(0.3);
  const cancels = faults.has('cancel') && draw.chance(0.3);
  const patient = !(faults.has('few-nodes') && draw.chance(0.3));
  if (!patient) faults.count('few-nodes');
  const poisoned = kind === 'matrix_mult' && faults.has('poison') && draw.chance(0.2);
  return {
    id: draw.hex(16) as TaskId,
    type,
    spec: type.parseSpec(specs[kind](draw)),
    nodes: draw.whole(1, patient ? nodes : nodes + 1),
    waitNodesMs: patient ? 600_000 : draw.between(1000, 10_000),
    timeoutMs: vanishes ? draw.between(20_000, 90_000) : 900_000,
    durability: draw.pick(durabilities),
    submitAtMs: draw.between(500, faultsUntilMs),
    cancelAfterMs: cancels ? draw.between(0, 5000) : null,
    vanishAfterMs: vanishes ? draw.between(0, 5000) : null,
    submitsTwice: faults.has('resubmit') && draw.chance(0.5),
    poison: poisoned ? draw.whole(0, 7) : null,
  };
}

/** 2 to 64 tiles of a few hundred milliseconds. */
const drawProduct = (draw: Draw): object => ({
  m: draw.pick([1024, 2048, 4096]),
  k: draw.pick([64, 256]),
  n: draw.pick([1024, 2048, 4096]),
  dtype: 'float32',
  grid: draw.pick(['auto', '1d', '2d']),
});

/** 4 to 24 steps of about a second on one node, and an evaluation after each epoch. */
const drawRun = (draw: Draw): object =>
  trainSpec({
    batch: draw.pick([64, 128]),
    epochs: draw.whole(1, 3),
    deterministic: draw.chance(0.3),
    virtualShards: draw.whole(2, 8),
  });

/** Without a broker strict tasks are mirrored: see durabilityOf. */
const durabilities: readonly Durability[] = ['local', 'mirrored', 'mirrored', 'strict'];

const drawEcho = (draw: Draw): object => ({
  count: draw.whole(1, 200),
  bytes: 8,
  batch: draw.whole(1, 8),
  ...(draw.chance(0.5) ? { window: draw.whole(1, 4) } : {}),
});

const specs = { matrix_mult: drawProduct, echo: drawEcho, train: drawRun };
const kinds = ['matrix_mult', 'matrix_mult', 'matrix_mult', 'echo', 'train'] as const;
