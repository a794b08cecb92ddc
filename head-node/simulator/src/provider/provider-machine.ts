/** The machine of a provider: its link to the head, and one life of the provider after another. */
import type { TaskId } from '@muster/shared';
import { fromRanges } from '@muster/head-node/core';
import type { Broker } from '../broker/broker.ts';
import type { Draw } from '../draw.ts';
import type { HeadMachine } from '../head/head-machine.ts';
import { Link } from '../network/link.ts';
import type { ProviderTraits } from '../scenario.ts';
import type { World } from '../world.ts';
import { ProviderDisk } from './provider-disk.ts';
import { ProviderLife } from './provider-life.ts';

export interface Surroundings {
  readonly head: HeadMachine;
  readonly broker: Broker | null;
}

export class ProviderMachine {
  readonly world: World;
  readonly traits: ProviderTraits;
  readonly head: HeadMachine;
  readonly broker: Broker | null;
  readonly disk: ProviderDisk;
  readonly link: Link;
  diskFull = false;
  /** Computations do not end. */
  wedged = false;
  readonly #draw: Draw;
  #life: ProviderLife | null = null;
  #lives = 0;

  constructor(world: World, traits: ProviderTraits, { head, broker }: Surroundings) {
    this.world = world;
    this.traits = traits;
    this.head = head;
    this.broker = broker;
    this.disk = new ProviderDisk(head.files);
    this.link = new Link(world, traits);
    this.#draw = world.draw.fork(traits.name);
    this.link.onSilence = (to) => this.#silence(to);
  }

  get life(): ProviderLife | null {
    return this.#life;
  }

  start(): void {
    if (this.#life !== null) return;
    this.world.chronicle.note(this.traits.name, 'starts');
    this.#life = new ProviderLife(this, this.#draw.fork(`life ${(this.#lives += 1)}`));
    this.#life.start();
  }

  crash(): void {
    const life = this.#life;
    if (life === null) return;
    this.world.chronicle.note(this.traits.name, 'crashes');
    this.#life = null;
    life.end();
  }

  /** An orderly stop: hands unfinished work back, says goodbye, and ends. */
  leave(): void {
    const life = this.#life;
    if (life === null || life.process.isFrozen) return;
    this.world.chronicle.note(this.traits.name, 'leaves');
    life.membership.leave(() => {
      if (this.#life === life) this.crash();
    });
  }

  /** Breaks its connections at once and loses what is in flight on them. */
  breakConnections(): void {
    this.link.lose(['tasks', 'results', 'clients']);
    this.head.hear((life) => life.publisher.closeOf(this.traits.name));
    this.#life?.membership.link?.subscription.breakAtProvider();
  }

  isPoison(task: TaskId, ranges: readonly number[]): boolean {
    const poison = this.world.scenario.tasks.find(({ id }) => id === task)?.poison ?? null;
    const poisoned = poison !== null && fromRanges(ranges).includes(poison);
    if (poisoned) this.world.faults.count('poison');
    return poisoned;
  }

  /** The receiving side has heard nothing for so long that it gives the connection up, and tells the other side if it can. */
  #silence(to: 'to-head' | 'from-head'): void {
    if (to === 'to-head') this.head.hear((life) => life.publisher.closeOf(this.traits.name));
    else this.#life?.membership.link?.subscription.breakAtProvider();
  }
}
