/**
 * The network between one machine and the head's. As with TCP, messages on a channel arrive in order. A direction that is cut holds
 * everything back: if it heals early, all of it arrives late; after the time in which both sides give a connection up, only a prefix
 * does.
 */
import type { Channel } from '@muster/shared';
import type { Draw } from '../draw.ts';
import type { World } from '../world.ts';

export type Direction = 'to-head' | 'from-head';
export const directions: readonly Direction[] = ['to-head', 'from-head'];

/** ZMTP heartbeats of both sides: silence of this length closes a connection. */
export const SILENCE_MS = 1500;

export interface Route {
  readonly to: Direction;
  readonly channel: Channel;
}

interface Lane {
  /** Arrival of the latest message, which no later one may overtake. */
  lastArrivalMs: number;
  extraMs: number;
  /** Incremented when messages in flight are lost. */
  generation: number;
  held: (() => void)[];
}

export class Link {
  readonly #world: World;
  readonly #draw: Draw;
  readonly #latencyMs: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #cutSinceMs = new Map<Direction, number>();
  extraMs = 0;
  /** Called when a cut has lasted so long that the receiving side gives its connections up. */
  onSilence: (to: Direction) => void = () => undefined;

  constructor(world: World, { name, latencyMs }: { readonly name: string; readonly latencyMs: number }) {
    this.#world = world;
    this.#draw = world.draw.fork(`link ${name}`);
    this.#latencyMs = latencyMs;
  }

  send(route: Route, deliver: () => void): void {
    const lane = this.#lane(route);
    if (this.#cutSinceMs.has(route.to)) lane.held.push(deliver);
    else this.#transmit(lane, deliver);
  }

  /** Loses what is in flight on these channels, as a broken connection does. */
  lose(channels: readonly Channel[]): void {
    for (const channel of channels) for (const to of directions) this.#lane({ to, channel }).generation += 1;
  }

  slowDown(route: Route, extraMs: number): void {
    this.#lane(route).extraMs = extraMs;
  }

  isCut(to: Direction): boolean {
    return this.#cutSinceMs.has(to);
  }

  cut(to: Direction): void {
    if (this.isCut(to)) return;
    const sinceMs = this.#world.timeline.nowMs;
    this.#cutSinceMs.set(to, sinceMs);
    this.#world.timeline.after(SILENCE_MS + this.#draw.between(0, 500), () => {
      if (this.#cutSinceMs.get(to) === sinceMs) this.onSilence(to);
    });
  }

  heal(to: Direction): void {
    const sinceMs = this.#cutSinceMs.get(to);
    if (sinceMs === undefined) return;
    this.#cutSinceMs.delete(to);
    const whole = this.#world.timeline.nowMs - sinceMs < SILENCE_MS;
    for (const [name, lane] of this.#lanes) if (name.startsWith(to)) this.#release(lane, whole);
  }

  /** Back to the initial state: no delays, no cuts. */
  recover(): void {
    this.extraMs = 0;
    for (const lane of this.#lanes.values()) lane.extraMs = 0;
    for (const to of directions) this.heal(to);
  }

  #release(lane: Lane, whole: boolean): void {
    const held = lane.held;
    lane.held = [];
    const arriving = whole ? held.length : this.#draw.whole(0, held.length);
    for (const deliver of held.slice(0, arriving)) this.#transmit(lane, deliver);
  }

  #transmit(lane: Lane, deliver: () => void): void {
    const { timeline } = this.#world;
    const delayMs = this.#latencyMs * this.#draw.between(1, 2) + 0.05 + this.extraMs + lane.extraMs;
    lane.lastArrivalMs = Math.max(lane.lastArrivalMs, timeline.nowMs + delayMs);
    const { generation } = lane;
    timeline.after(lane.lastArrivalMs - timeline.nowMs, () => {
      if (lane.generation === generation) deliver();
    });
  }

  #lane({ to, channel }: Route): Lane {
    const name = `${to} ${channel}`;
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const fresh: Lane = { lastArrivalMs: 0, extraMs: 0, generation: 0, held: [] };
    this.#lanes.set(name, fresh);
    return fresh;
  }
}
