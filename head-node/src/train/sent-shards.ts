/**
 * What a shard that travels by top-k says of the gradient it was made from. A node sends the k largest values of gradient + residual and
 * keeps the others for its next shard. So where it sent a value the residual is nothing from then on, and elsewhere it is no larger than
 * the smallest value that was sent. Two shards of a node, one after the other, leave an interval for each value of the second
 * one's gradient, and the gradient that the head computes lies in all of them if the node's did.
 */
import { topKEntries, type ProviderId, type ShardResult } from '@muster/shared';

/** What is left for the next shard. */
export interface Leftovers {
  /** Nothing is left in these places. */
  readonly sent: Int32Array;
  /** At most so much in every other. */
  readonly most: number;
}

export const NO_LEFTOVERS: Leftovers = { sent: new Int32Array(), most: 0 };

export interface SentShard extends Leftovers {
  readonly number: number;
  /** The one whose leftovers went into it, 0 for none. */
  readonly after: number;
}

/** Holds when the bytes of the payload are others. */
export function sentShard({ number, after, payload }: ShardResult): SentShard {
  const { indices, values } = topKEntries(payload);
  const most = values.reduce((least, value) => Math.min(least, Math.abs(value)), Infinity);
  return { number, after, sent: indices.slice(), most };
}

/**
 * The latest shard of each node. At the beginning of a round every node is told which that is, and goes back to what that one left: so a
 * shard that never came, or came too late, takes nothing with it, and the next one follows one that is known here.
 */
export class SentShards {
  readonly #latest = new Map<ProviderId, SentShard>();
  #told: ReadonlySet<ProviderId> = new Set();

  /** What nodes are told in this round. */
  beginRound(): Record<ProviderId, number> {
    this.#told = new Set(this.#latest.keys());
    return Object.fromEntries([...this.#latest].map(([node, { number }]) => [node, number]));
  }

  /** A node that was told in this round of no shard must make none that follows one. */
  mayFollow(node: ProviderId): boolean {
    return this.#told.has(node);
  }

  add(node: ProviderId, shard: SentShard): void {
    this.#latest.set(node, shard);
  }

  /** What was left when the node made the shard; null when the one before it did not come. */
  leftoversFor(node: ProviderId, { after }: SentShard): Leftovers | null {
    if (after === 0) return NO_LEFTOVERS;
    const latest = this.#latest.get(node);
    return latest?.number === after ? latest : null;
  }
}

export interface Sending {
  /** As it was sent, with zeros in all other places. */
  readonly vector: Float32Array;
  readonly shard: SentShard;
  readonly before: Leftovers;
}

/**
 * The distance from the gradient to the nearest that the node can have had: in a place that was sent, at most what was left of before off
 * the value; in any other, that and what is left now off zero.
 */
export function distanceFromSent(gradient: Float32Array, { vector, shard, before }: Sending): number {
  const allowed = new Float64Array(gradient.length).fill(before.most + shard.most);
  for (const place of before.sent) allowed[place]! -= before.most;
  for (const place of shard.sent) allowed[place]! -= shard.most;
  let sum = 0;
  for (let i = 0; i < gradient.length; i += 1) {
    const beyond = Math.abs(gradient[i]! - vector[i]!) - allowed[i]!;
    if (beyond > 0) sum += beyond ** 2;
  }
  return Math.sqrt(sum);
}
