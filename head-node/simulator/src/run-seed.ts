/** Runs one seed: faults for a while, then calm until everything has ended. */
import { Chronicle } from './chronicle.ts';
import { Cluster } from './cluster.ts';
import { Draw } from './draw.ts';
import { Faults, type FaultKind } from './faults.ts';
import { scheduleFaults } from './injections.ts';
import type { Plant } from './plants.ts';
import { drawScenario } from './scenario.ts';
import { Timeline } from './timeline.ts';
import { auditAll } from './witness/audits.ts';
import { Violation } from './witness/violation.ts';
import { Witness } from './witness/witness.ts';
import type { World } from './world.ts';

/** Long enough for every deadline of the policy one after the other, and for the slowest node to do three tasks by itself. */
const CALM_MS = 900_000;
const LOOK_MS = 1000;

export interface SeedOptions {
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  readonly plant?: Plant | null;
  /** Called with every event; default: none. */
  readonly print?: ((line: string) => void) | null;
}

export interface Found {
  readonly invariant: string;
  readonly atMs: number;
  /** The last events before it. */
  readonly last: readonly string[];
}

export interface SeedOutcome {
  readonly seed: number;
  readonly events: number;
  readonly virtualMs: number;
  /** Equal for equal histories. */
  readonly hash: string;
  readonly faults: Readonly<Record<string, number>>;
  /** How the tasks ended whose client waited for them. */
  readonly tasks: Readonly<Record<'done' | 'failed' | 'cancelled', number>>;
  readonly violation: Found | null;
}

export function runSeed({ seed, faults: allowed, plant = null, print = null }: SeedOptions): SeedOutcome {
  const draw = new Draw(seed);
  const faults = new Faults(allowed, draw.fork('faults'));
  const timeline = new Timeline();
  const chronicle = new Chronicle(timeline, print);
  const scenario = drawScenario(draw.fork('scenario'), faults);
  const world: World = { timeline, chronicle, draw, faults, scenario, witness: new Witness(faults), plant };
  const cluster = new Cluster(world);
  const violation = violationIn(world, cluster);
  return {
    seed,
    events: chronicle.events,
    virtualMs: timeline.nowMs,
    hash: chronicle.hash,
    faults: Object.fromEntries(faults.counts),
    tasks: endsOf(cluster),
    violation,
  };
}

function endsOf({ clients }: Cluster): SeedOutcome['tasks'] {
  const states = clients.map(({ status }) => status?.state);
  const count = (state: string): number => states.filter((at) => at === state).length;
  return { done: count('done'), failed: count('failed'), cancelled: count('cancelled') };
}

function violationIn(world: World, cluster: Cluster): Found | null {
  try {
    play(world, cluster);
    return null;
  } catch (error) {
    const invariant = error instanceof Violation ? error.message : stackOf(error);
    return { invariant, atMs: world.timeline.nowMs, last: [...world.chronicle.last] };
  }
}

/** A core that throws violates an invariant, too; the stack says where. */
const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

function play(world: World, cluster: Cluster): void {
  cluster.start();
  scheduleFaults(world, cluster);
  const { timeline, scenario, witness } = world;
  const end = { over: false };
  const look = (): void => {
    end.over = cluster.isIdle;
    if (!end.over) timeline.after(LOOK_MS, look);
  };
  timeline.after(scenario.faultsUntilMs + LOOK_MS, look);
  const latestMs = scenario.faultsUntilMs + CALM_MS;
  while (!end.over && timeline.step())
    if (timeline.nowMs > latestMs)
      throw new Violation(`everything comes to an end when the faults are over (${cluster.unfinished})`);
  const { life } = cluster.head;
  if (life !== null) witness.verify(life);
  // An audit would rightly miss what the broker has lost.
  if (!world.faults.has('mirror-loss')) auditAll(cluster);
}
