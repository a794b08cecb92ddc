/**
 * Publications that the broker has not confirmed, in order and bounded in bytes. Pure: it is told what happened and says what to send next.
 *
 * An entry is `waiting` until it is taken, `sent` until the broker confirms it, then `gone`. A lost connection makes every sent entry wait
 * again, in the order of publication; withdrawn ones are gone at once and are not sent again. For a mute destination some entries stay in
 * flight as a probe and the rest are parked: they would fill the window and starve the other destinations.
 */
import { bodyBytes } from './body.ts';
import type { Destination, OnSettled, Publication } from './backbone.ts';
import { isBulk, queueOf } from './topology.ts';
import type { Watermarks } from './watermarks.ts';

/** Object, map slot and key of an entry, roughly. */
const ENTRY_BYTES = 256;

export interface Entry {
  readonly publication: Publication;
  readonly destination: DestinationTraffic;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly onSettled: OnSettled[];
  state: 'waiting' | 'sent' | 'gone';
  /** Returned by the broker: no queue takes it. Its confirm still follows. */
  unrouted: boolean;
}

/** One queue or stream as this outbox sees it; all chunk streams count as one. */
export interface DestinationTraffic {
  readonly name: string;
  /** Unconfirmed entries, oldest first. */
  readonly waiting: Set<Entry>;
  /** Unconfirmed entries that are not sent until the destination answers. */
  readonly parked: Set<Entry>;
  inFlight: number;
  /** Confirms so far, including those of withdrawn entries. */
  answers: number;
  /** Confirms nothing while others do. Reset by its next confirm, or when the connection is lost. */
  isMute: boolean;
}

export interface OutboxLimits {
  readonly maxBytes: number;
  /** Bounds of what is in flight; a single message goes whatever its size. */
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
  readonly #destinations = new Map<string, DestinationTraffic>();
  /** From `#next` on: waiting entries, with gone ones in between. */
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

  /** Mute destinations with unconfirmed entries. */
  get muteQueues(): number {
    return this.destinations.filter(({ isMute, waiting }) => isMute && waiting.size > 0).length;
  }

  get destinations(): readonly DestinationTraffic[] {
    return [...this.#destinations.values()];
  }

  /** When the oldest entry was added, mute destinations left out; undefined if there is none. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const { isMute, waiting } of this.#destinations.values()) {
      const [first] = isMute ? [] : waiting;
      if (first) oldest = Math.min(oldest ?? Infinity, first.sinceMs);
    }
    return oldest;
  }

  /** False when there is no room: the publication is dropped. */
  add(publication: Publication, nowMs: number, onSettled?: OnSettled): boolean {
    const callbacks = onSettled ? [onSettled] : [];
    const present = this.#entries.get(publication.key);
    if (present) {
      present.onSettled.push(...callbacks);
      return true;
    }
    const bytes = bodyBytes(publication.frames) + ENTRY_BYTES;
    if (this.#bytes + bytes > this.#limits.maxBytes) return this.#drop(publication);
    const destination = this.#destinationOf(publication);
    const state = { sinceMs: nowMs, state: 'waiting', unrouted: false } as const;
    this.#keep({ publication, destination, bytes, onSettled: callbacks, ...state });
    return true;
  }

  /** The next to send; from here on it is in flight. Undefined when nothing waits or the window is full. */
  take(): Entry | undefined {
    const entry = this.#first();
    if (!entry || !this.#fitsWindow(entry)) return undefined;
    this.#next += 1;
    entry.state = 'sent';
    entry.destination.inFlight += 1;
    this.#inFlight.add(entry);
    this.#inFlightBytes += entry.bytes;
    return entry;
  }

  /** The broker has stored it, or returned it as unroutable. */
  confirm(entry: Entry): void {
    this.#land(entry);
    this.#answered(entry.destination);
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
    for (const destination of this.#destinations.values()) {
      Object.assign(destination, { isMute: false, inFlight: 0 });
      destination.parked.clear();
    }
    this.#requeue(waiting);
  }

  withdraw(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const waited = entry.state === 'waiting';
    this.#remove(entry);
    if (waited && !entry.destination.parked.delete(entry)) this.#leaveQueue();
  }

  isMute(destination: Destination): boolean {
    return this.#destinations.get(nameOf(destination))?.isMute ?? false;
  }

  #destinationOf({ destination }: Publication): DestinationTraffic {
    const name = nameOf(destination);
    const known = this.#destinations.get(name);
    if (known) return known;
    const counts = { inFlight: 0, answers: 0, isMute: false };
    const fresh: DestinationTraffic = { name, waiting: new Set(), parked: new Set(), ...counts };
    this.#destinations.set(name, fresh);
    return fresh;
  }

  #answered(destination: DestinationTraffic): void {
    destination.answers += 1;
    destination.isMute = false;
    this.#unpark(destination);
  }

  #unpark({ parked }: DestinationTraffic): void {
    this.#queue.push(...parked);
    parked.clear();
  }

  #drop({ task }: Publication): false {
    this.counts.dropped += 1;
    this.#watermarks.wasLost(task);
    return false;
  }

  #keep(entry: Entry): void {
    this.#entries.set(entry.publication.key, entry);
    entry.destination.waiting.add(entry);
    this.#queue.push(entry);
    this.#bytes += entry.bytes;
    this.#watermarks.opened(entry.publication.task);
  }

  #remove(entry: Entry): void {
    entry.state = 'gone';
    this.#entries.delete(entry.publication.key);
    entry.destination.waiting.delete(entry);
    this.#bytes -= entry.bytes;
    this.#watermarks.closed(entry.publication.task);
  }

  #land(entry: Entry): void {
    if (!this.#inFlight.delete(entry)) return;
    this.#inFlightBytes -= entry.bytes;
    entry.destination.inFlight -= 1;
    // Back into the queue: a mute destination with nothing in flight is probed with its next entry.
    if (entry.destination.inFlight === 0) this.#unpark(entry.destination);
  }

  #fitsWindow(entry: Entry): boolean {
    if (this.#inFlight.size === 0) return true;
    const { windowMessages, windowBytes } = this.#limits;
    return this.#inFlight.size < windowMessages && this.#inFlightBytes + entry.bytes <= windowBytes;
  }

  /** First waiting entry whose destination is not mute, or has nothing in flight; the ones before it are parked. */
  #first(): Entry | undefined {
    for (;;) {
      this.#skipGone();
      const entry = this.#queue[this.#next];
      if (!entry?.destination.isMute || entry.destination.inFlight === 0) return entry;
      entry.destination.parked.add(entry);
      this.#next += 1;
    }
  }

  #skipGone(): void {
    while (this.#queue[this.#next]?.state === 'gone') {
      this.#next += 1;
      this.#gone -= 1;
    }
    if (this.#next > 1024 && this.#next * 2 > this.#queue.length) this.#requeue(this.#queue.slice(this.#next));
  }

  /** Compacts the queue: withdrawn entries would pile up while the broker is away for hours. */
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

/** All chunk streams count as one destination, so that destinations stay few. */
const nameOf = (destination: Destination): string => (isBulk(destination) ? 'chunks' : queueOf(destination).name);
