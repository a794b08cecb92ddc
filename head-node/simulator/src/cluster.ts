/** A whole cluster in one process: a head, providers, clients, and the network between them. */
import { Broker } from './broker/broker.ts';
import { Client } from './client.ts';
import { HeadMachine } from './head/head-machine.ts';
import { leaseName } from './describe.ts';
import { SILENCE_MS } from './network/link.ts';
import { ProviderMachine } from './provider/provider-machine.ts';
import type { ProviderLife } from './provider/provider-life.ts';
import type { World } from './world.ts';

/** Providers are switched on within this time. */
const START_MS = 500;

export class Cluster {
  /** Null: the cluster has no broker. */
  readonly broker: Broker | null;
  readonly head: HeadMachine;
  readonly providers: readonly ProviderMachine[];
  readonly clients: readonly Client[];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.broker = world.scenario.hasBroker ? new Broker(world) : null;
    this.head = new HeadMachine(world, this.broker);
    this.providers = world.scenario.providers.map((traits) => new ProviderMachine(world, traits, this));
    this.clients = world.scenario.tasks.map((task) => new Client(world, task, this.head));
  }

  start(): void {
    const { timeline, draw } = this.#world;
    this.head.start();
    for (const provider of this.providers)
      timeline.after(draw.fork(`start ${provider.traits.name}`).between(0, START_MS), () => provider.start());
    for (const client of this.clients) client.start();
  }

  freezeHead(ms: number): void {
    const { life } = this.head;
    if (life === null) return;
    const { timeline, chronicle } = this.#world;
    chronicle.note('head', `freezes for ${(ms / 1000).toFixed(1)} s`);
    life.process.freeze();
    timeline.after(SILENCE_MS, () => {
      if (life.process.isFrozen) for (const subscription of life.publisher.all()) subscription.breakAtProvider();
    });
    timeline.after(ms, () => life.process.thaw());
  }

  freezeProvider({ life, traits }: ProviderMachine, ms: number): void {
    if (life === null) return;
    const { timeline, chronicle } = this.#world;
    chronicle.note(traits.name, `freezes for ${(ms / 1000).toFixed(1)} s`);
    life.process.freeze();
    timeline.after(SILENCE_MS, () => {
      if (life.process.isFrozen) this.head.hear(({ publisher }) => publisher.closeOf(traits.name));
    });
    timeline.after(ms, () => life.process.thaw());
  }

  /** Ends all faults: nothing is cut, full, slow, frozen or dead any more. */
  heal(): void {
    this.head.disk.full = false;
    this.head.disk.syncMs = 2;
    this.broker?.heal();
    this.head.life?.process.thaw();
    for (const provider of this.providers) this.#healProvider(provider);
  }

  #healProvider(provider: ProviderMachine): void {
    Object.assign(provider, { diskFull: false, wedged: false });
    provider.link.recover();
    provider.life?.process.thaw();
    provider.start();
  }

  /** Whether nothing is left to do anywhere. */
  get isIdle(): boolean {
    const { life } = this.head;
    if (life === null || !this.clients.every(({ hasEnded }) => hasEnded)) return false;
    const { tasks, leases } = life.state;
    return (
      life.journal.isQuiet &&
      life.mirror.isQuiet &&
      leases.size === 0 &&
      [...tasks.values()].every(({ endedAtMs }) => endedAtMs !== null) &&
      this.providers.every((provider) => provider.life !== null && provider.life.state.held.size === 0)
    );
  }

  /** What has not ended, as text. */
  get unfinished(): string {
    const { state } = this.head.life ?? {};
    const tasks = [...(state?.tasks.values() ?? [])].filter(({ endedAtMs }) => endedAtMs === null);
    const clients = this.clients.filter(({ hasEnded }) => !hasEnded).length;
    const held = this.providers.map(({ traits, life }) => `${traits.name}: ${heldBy(life)}`);
    return [
      ...tasks.map(({ id, state: at, run }) => `task ${id} is ${at}, ${run?.states.acceptedCount ?? 0} accepted`),
      `${clients} clients wait`,
      `${state?.leases.size ?? 0} leases are open`,
      `providers hold ${held.join(', ')}`,
    ].join('; ');
  }
}

function heldBy(life: ProviderLife | null): string {
  if (life === null) return 'down';
  return [...life.state.held.values()].map(({ lease, phase }) => `${leaseName(lease)} ${phase}`).join(' ') || 'nothing';
}
