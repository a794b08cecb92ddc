import type { Clock } from '@muster/shared';
import type { OnSettled, Publication } from './backbone.ts';
import { Outbox, type Entry, type OutboxLimits } from './outbox.ts';
import type { Watermarks } from './watermarks.ts';

/** Hands one message to the broker. Throws when the channel has just closed. */
export type Send = (entry: Entry) => void;

/**
 * An outbox and its sender. Sends once per turn of the event loop, so that `publish` only adds an entry, and never while something holds
 * it: the broker is blocked or refuses, or a queue is being declared.
 */
export class Lane {
  readonly outbox: Outbox;
  readonly #clock: Clock;
  readonly #holds = new Set<symbol>();
  readonly #emptied: (() => void)[] = [];
  #send: Send | undefined;
  #scheduled = false;

  constructor(limits: OutboxLimits, watermarks: Watermarks, clock: Clock) {
    this.outbox = new Outbox(limits, watermarks);
    this.#clock = clock;
  }

  publish(publication: Publication, onSettled?: OnSettled): void {
    if (this.outbox.add(publication, this.#clock.nowMs(), onSettled)) this.#schedule();
    else if (onSettled) queueMicrotask(() => onSettled('lost'));
  }

  withdraw(keys: readonly string[]): void {
    for (const key of keys) this.outbox.withdraw(key);
    this.#noticeEmpty();
  }

  get lagMs(): number {
    const { oldestMs } = this.outbox;
    return oldestMs === undefined ? 0 : this.#clock.nowMs() - oldestMs;
  }

  /** A channel is open. */
  attach(send: Send): void {
    this.#send = send;
    this.#schedule();
  }

  /** The channel is gone: what it had not confirmed is sent again by the next one. */
  detach(): void {
    if (!this.#send) return;
    this.#send = undefined;
    this.outbox.recall();
  }

  /** Nothing is sent until every reason to hold is released. */
  hold(reason: symbol): void {
    this.#holds.add(reason);
  }

  release(reason: symbol): void {
    if (this.#holds.delete(reason)) this.#schedule();
  }

  confirmed(entries: readonly Entry[]): void {
    for (const entry of entries) this.#confirm(entry);
    this.#schedule();
    this.#noticeEmpty();
  }

  refused(entries: readonly Entry[]): void {
    for (const entry of entries) this.outbox.refuse(entry);
  }

  /** Resolves when everything is confirmed, withdrawn or dropped. */
  emptied(): Promise<void> {
    if (this.outbox.messages === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptied.push(resolve));
  }

  #confirm(entry: Entry): void {
    const open = entry.state === 'sent';
    this.outbox.confirm(entry);
    if (open) for (const onSettled of entry.onSettled) onSettled(entry.unrouted ? 'lost' : 'confirmed');
  }

  #noticeEmpty(): void {
    if (this.outbox.messages === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#send && this.#holds.size === 0) {
      const entry = this.outbox.take();
      if (!entry) return;
      try {
        this.#send(entry);
      } catch {
        // The channel is closing; its 'close' event will detach as well.
        this.detach();
      }
    }
  }
}
