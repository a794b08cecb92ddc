/**
 * What a top-k shard tells about the gradient it was made from. A node sends the k largest values of gradient + residual and keeps the
 * others as the residual of its next shard. So the residual is zero where a value was sent, and elsewhere no larger than the smallest value
 * that was sent. Two consecutive shards of a node thus give an interval for each value of the second one's gradient, and the gradient that
 * the head computes lies in all of them if the node's did.
 */
import { topKEntries, type ProviderId, type ShardResult } from '@muster/shared';

/** Bounds of the residual that is left for the next shard. */
export interface Leftovers {
  /** Places where the residual is zero. */
  readonly sent: Int32Array;
  /** Bound of the residual's magnitude in every other place. */
  readonly most: number;
}

export const NO_LEFTOVERS: Leftovers = { sent: new Int32Array(), most: 0 };

export interface SentShard extends Leftovers {
  readonly number: number;
  /** Number of the shard whose residual went into it; 0 for none. */
  readonly after: number;
}

/** A copy, which stays valid when the payload's memory is reused. */
export function sentShard({ number, after, payload }: ShardResult): SentShard {
  const { indices, values } = topKEntries(payload);
  const most = values.reduce((least, value) => Math.min(least, Math.abs(value)), Infinity);
  return { number, after, sent: indices.slice(), most };
}

/**
 * The latest shard of each node. At the beginning of a round every node is told which that is, and goes back to the residual that it left:
 * so a shard that never came, or came too late, takes nothing with it, and the next one follows a shard that is known here.
 */
export class SentShards {
  readonly #latest = new Map<ProviderId, SentShard>();
  #told: ReadonlySet<ProviderId> = new Set();

  /** Returns the shard numbers that nodes are told in this round. */
  beginRound(): Record<ProviderId, number> {
    this.#told = new Set(this.#latest.keys());
    return Object.fromEntries([...this.#latest].map(([node, { number }]) => [node, number]));
  }

  /** False for a node that was told of no shard in this round: its shards must not follow one. */
  mayFollow(node: ProviderId): boolean {
    return this.#told.has(node);
  }

  add(node: ProviderId, shard: SentShard): void {
    this.#latest.set(node, shard);
  }

  /** Bounds of the residual that went into the shard; null when the shard that it follows is not the latest one known. */
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
 * The distance from `gradient` to the nearest gradient that the node can have had. In a place that was sent, that one differs from the
 * value by at most the residual bound before; in any other, from zero by at most the sum of the bounds before and after.
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
