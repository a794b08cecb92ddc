/** What each timed fault does, and when it is injected. */
import type { Channel } from '@muster/shared';
import type { Cluster } from './cluster.ts';
import type { Draw } from './draw.ts';
import { timedFaults, type TimedFault } from './faults.ts';
import { directions, type Direction, type Link } from './network/link.ts';
import type { ProviderMachine } from './provider/provider-machine.ts';
import type { World } from './world.ts';

interface Injection {
  readonly cluster: Cluster;
  readonly world: World;
  readonly draw: Draw;
  /** The provider that is hit, if the fault hits one. */
  readonly victim: ProviderMachine;
}

const channels: readonly Channel[] = ['registration', 'tasks', 'results', 'heartbeats', 'clients'];

/** Milliseconds: from barely noticeable to longer than every deadline of the policy. */
const anyLength = (draw: Draw): number => draw.pick([50, 500, 2000, 6000, 20_000, 45_000]) * draw.between(0.5, 1.5);

const injections: Readonly<Record<TimedFault, (injection: Injection) => void>> = {
  delay: (injection) => {
    const { victim, draw } = injection;
    victim.link.extraMs = draw.between(20, 1500);
    afterAWhile(injection, () => (victim.link.extraMs = 0));
  },
  reorder: (injection) => {
    const { victim, draw } = injection;
    const route = { to: draw.pick(directions), channel: draw.pick(channels) };
    victim.link.slowDown(route, draw.between(100, 8000));
    afterAWhile(injection, () => victim.link.slowDown(route, 0));
  },
  break: ({ victim }) => victim.breakConnections(),
  partition: (injection) => cutFor(injection, directions),
  'one-way': (injection) => cutFor(injection, [injection.draw.pick(directions)]),
  'head-crash': ({ cluster }) => cluster.head.crash('killed'),
  'head-freeze': ({ cluster, draw }) => cluster.freezeHead(anyLength(draw)),
  'provider-crash': (injection) => crashFor(injection, anyLength(injection.draw)),
  'provider-freeze': ({ cluster, victim, draw }) => cluster.freezeProvider(victim, anyLength(draw)),
  'provider-leave': ({ world, victim, draw }) => {
    victim.leave();
    world.timeline.after(anyLength(draw) + 5000, () => victim.start());
  },
  flapping: (injection) => flap(injection, injection.draw.whole(3, 8)),
  'fsync-delay': (injection) => {
    injection.cluster.head.disk.syncMs = injection.draw.between(50, 2000);
    afterAWhile(injection, () => (injection.cluster.head.disk.syncMs = 2));
  },
  'head-disk-full': (injection) => {
    injection.cluster.head.disk.full = true;
    afterAWhile(injection, () => (injection.cluster.head.disk.full = false));
  },
  'provider-disk-full': (injection) => {
    injection.victim.diskFull = true;
    afterAWhile(injection, () => (injection.victim.diskFull = false));
  },
  wedge: (injection) => {
    injection.victim.wedged = true;
    afterAWhile(injection, () => (injection.victim.wedged = false));
  },
  'broker-down': (injection) => troubleBroker(injection, 'down'),
  'broker-blocked': (injection) => troubleBroker(injection, 'blocked'),
  'broker-slow': (injection) => {
    const { broker } = injection.cluster;
    if (broker === null) return;
    broker.confirmMs = injection.draw.between(100, 3000);
    afterAWhile(injection, () => (broker.confirmMs = 3));
  },
  'broker-redelivery': ({ cluster }) => cluster.broker?.redeliver(),
};

/** Injects every kind of this seed again and again until the faults are over; then heals everything. */
export function scheduleFaults(world: World, cluster: Cluster): void {
  for (const kind of timedFaults) if (world.faults.has(kind)) scheduleKind(world, cluster, kind);
  world.timeline.after(world.scenario.faultsUntilMs, () => {
    world.faults.over = true;
    world.chronicle.note('-', 'faults are over');
    cluster.heal();
  });
}

function scheduleKind(world: World, cluster: Cluster, kind: TimedFault): void {
  const draw = world.draw.fork(`fault ${kind}`);
  const everyMs = draw.between(2000, 20_000);
  const next = (): void =>
    world.timeline.after(draw.interval(everyMs), () => {
      if (world.faults.over) return;
      const victim = draw.pick(cluster.providers);
      world.chronicle.note('fault', `${kind}${kind.startsWith('head') ? '' : ` ${victim.traits.name}`}`);
      world.faults.count(kind);
      injections[kind]({ cluster, world, draw, victim });
      next();
    });
  next();
}

function afterAWhile({ world, draw }: Injection, undo: () => void): void {
  world.timeline.after(anyLength(draw), undo);
}

function cutFor(injection: Injection, cut: readonly Direction[]): void {
  const { link }: { readonly link: Link } = injection.victim;
  for (const to of cut) link.cut(to);
  afterAWhile(injection, () => {
    for (const to of cut) link.heal(to);
  });
}

function crashFor({ world, victim }: Injection, ms: number): void {
  victim.crash();
  world.timeline.after(ms, () => victim.start());
}

function troubleBroker(injection: Injection, state: 'down' | 'blocked'): void {
  const end = injection.cluster.broker?.trouble(state);
  if (end !== undefined) afterAWhile(injection, end);
}

function flap(injection: Injection, times: number): void {
  if (times === 0 || injection.world.faults.over) return;
  crashFor(injection, injection.draw.between(300, 2000));
  injection.world.timeline.after(injection.draw.between(2500, 5000), () => flap(injection, times - 1));
}
