/**
 * What the broker has not confirmed yet, in order and bounded in bytes. Pure: it is told what happened and says what to send next.
 *
 * An entry is `waiting` until it is taken, `sent` until the broker confirms it, then `gone`. A lost connection makes every sent entry
 * wait again, in the order of publication; withdrawn ones are gone at once and are not sent again.
 */
import { bodyBytes } from './body.ts';
import type { OnSettled, Publication } from './backbone.ts';
import type { Watermarks } from './watermarks.ts';

/** Object, map slot and key of an entry, roughly. */
const ENTRY_BYTES = 256;

export interface Entry {
  readonly publication: Publication;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly onSettled: OnSettled[];
  state: 'waiting' | 'sent' | 'gone';
  /** The broker gave it back: no queue takes it. Its confirm still comes. */
  unrouted: boolean;
}

export interface OutboxLimits {
  readonly maxBytes: number;
  /** Sent and not yet confirmed: at least one message goes, whatever its size. */
  readonly windowMessages: number;
  readonly windowBytes: number;
}

export interface OutboxCounts {
  confirmed: number;
  resent: number;
  unrouted: number;
  dropped: number;
}

export class Outbox {
  readonly counts: OutboxCounts = { confirmed: 0, resent: 0, unrouted: 0, dropped: 0 };
  readonly #limits: OutboxLimits;
  readonly #watermarks: Watermarks;
  /** In the order of publication. */
  readonly #entries = new Map<string, Entry>();
  /** What waits from `#next` on, and entries that are gone between them. */
  #queue: Entry[] = [];
  #next = 0;
  #gone = 0;
  #bytes = 0;
  readonly #inFlight = new Set<Entry>();
  #inFlightBytes = 0;

  constructor(limits: OutboxLimits, watermarks: Watermarks) {
    this.#limits = limits;
    this.#watermarks = watermarks;
  }

  get messages(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest came in; undefined when empty. */
  get oldestMs(): number | undefined {
    return this.#entries.values().next().value?.sinceMs;
  }

  /** False when there is no room for it: it is dropped. */
  add(publication: Publication, nowMs: number, onSettled?: OnSettled): boolean {
    const callbacks = onSettled ? [onSettled] : [];
    const present = this.#entries.get(publication.key);
    if (present) {
      present.onSettled.push(...callbacks);
      return true;
    }
    const bytes = bodyBytes(publication.frames) + ENTRY_BYTES;
    if (this.#bytes + bytes > this.#limits.maxBytes) return this.#drop(publication);
    this.#keep({ publication, bytes, sinceMs: nowMs, onSettled: callbacks, state: 'waiting', unrouted: false });
    return true;
  }

  /** The next to send; from here on it is in flight. Undefined when nothing waits or the window is full. */
  take(): Entry | undefined {
    this.#skipGone();
    const entry = this.#queue[this.#next];
    if (!entry || !this.#fitsWindow(entry)) return undefined;
    this.#next += 1;
    entry.state = 'sent';
    this.#inFlight.add(entry);
    this.#inFlightBytes += entry.bytes;
    return entry;
  }

  /** The broker has it, or nobody could take it. */
  confirm(entry: Entry): void {
    this.#land(entry);
    if (entry.state === 'gone') return;
    if (entry.unrouted) this.#watermarks.wasLost(entry.publication.task);
    this.counts[entry.unrouted ? 'unrouted' : 'confirmed'] += 1;
    this.#remove(entry);
  }

  /** The broker refused it for now: it waits again, behind the others. */
  refuse(entry: Entry): void {
    this.#land(entry);
    if (entry.state === 'gone') return;
    entry.state = 'waiting';
    this.#queue.push(entry);
  }

  /** The connection is gone, and with it every confirm that was due. */
  recall(): void {
    const waiting = [...this.#entries.values()];
    for (const entry of waiting) {
      if (entry.state === 'sent') this.counts.resent += 1;
      entry.state = 'waiting';
      entry.unrouted = false;
    }
    this.#inFlight.clear();
    this.#inFlightBytes = 0;
    this.#requeue(waiting);
  }

  withdraw(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const waited = entry.state === 'waiting';
    this.#remove(entry);
    if (waited) this.#leaveQueue();
  }

  #drop({ task }: Publication): false {
    this.counts.dropped += 1;
    this.#watermarks.wasLost(task);
    return false;
  }

  #keep(entry: Entry): void {
    this.#entries.set(entry.publication.key, entry);
    this.#queue.push(entry);
    this.#bytes += entry.bytes;
    this.#watermarks.opened(entry.publication.task);
  }

  #remove(entry: Entry): void {
    entry.state = 'gone';
    this.#entries.delete(entry.publication.key);
    this.#bytes -= entry.bytes;
    this.#watermarks.closed(entry.publication.task);
  }

  #land(entry: Entry): void {
    if (this.#inFlight.delete(entry)) this.#inFlightBytes -= entry.bytes;
  }

  #fitsWindow(entry: Entry): boolean {
    if (this.#inFlight.size === 0) return true;
    const { windowMessages, windowBytes } = this.#limits;
    return this.#inFlight.size < windowMessages && this.#inFlightBytes + entry.bytes <= windowBytes;
  }

  #skipGone(): void {
    while (this.#queue[this.#next]?.state === 'gone') {
      this.#next += 1;
      this.#gone -= 1;
    }
    if (this.#next > 1024 && this.#next * 2 > this.#queue.length) this.#requeue(this.#queue.slice(this.#next));
  }

  /** While the broker is away for hours, work comes and is done; what is left of it must not pile up. */
  #leaveQueue(): void {
    this.#gone += 1;
    if (this.#gone > 1024 && this.#gone * 2 > this.#queue.length - this.#next)
      this.#requeue(this.#queue.slice(this.#next));
  }

  #requeue(entries: readonly Entry[]): void {
    this.#queue = entries.filter((entry) => entry.state === 'waiting');
    this.#next = 0;
    this.#gone = 0;
  }
}
