/** Topics of providers, with a sequence number each. Mirrors head-node/src/io/task-publisher.ts. */
import type { SessionId } from '@muster/shared';
import type { Subscription, TopicMessage } from '../network/subscription.ts';
import type { World } from '../world.ts';

export interface Subscriptions {
  readonly onOpened: (session: SessionId) => void;
  readonly onClosed: (session: SessionId) => void;
}

export class Publisher {
  readonly #world: World;
  readonly #news: Subscriptions;
  readonly #subscriptions = new Map<SessionId, Subscription>();
  readonly #sequences = new Map<SessionId, number>();

  constructor(world: World, news: Subscriptions) {
    this.#world = world;
    this.#news = news;
  }

  subscribe(subscription: Subscription): void {
    this.#subscriptions.set(subscription.session, subscription);
    this.#news.onOpened(subscription.session);
  }

  unsubscribe({ session }: Subscription): void {
    if (!this.#subscriptions.delete(session)) return;
    this.#sequences.delete(session);
    this.#news.onClosed(session);
  }

  /** The head closes its connections with this machine. */
  closeOf(owner: string): void {
    for (const subscription of this.of(owner)) {
      subscription.closeFromHead();
      this.unsubscribe(subscription);
    }
  }

  of(owner: string): Subscription[] {
    return this.all().filter((subscription) => subscription.owner === owner);
  }

  all(): Subscription[] {
    return [...this.#subscriptions.values()];
  }

  /** `onRefused` is called when the provider's pipe is full and the message was not sent. Without a subscriber it is silently lost. */
  publish(session: SessionId, message: TopicMessage, onRefused?: () => void): void {
    const seq = this.sequenceOf(session) + 1;
    this.#sequences.set(session, seq);
    const { faults } = this.#world;
    if (onRefused !== undefined && faults.strikes('full-pipe')) return onRefused();
    if (faults.strikes('gap')) return;
    this.#subscriptions.get(session)?.deliver(seq, message);
  }

  sequenceOf(session: SessionId): number {
    return this.#sequences.get(session) ?? 0;
  }
}
