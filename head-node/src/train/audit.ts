import {
  decodeGradient,
  encodeGradient,
  globalNorm,
  type Compression,
  type ProviderId,
  type Random,
  type ShardSums,
} from '@muster/shared';
import { allFinite } from './shard-file.ts';
import type { ShardTotals } from './round-sums.ts';
import { distanceFromSent, type Leftovers, type SentShard } from './sent-shards.ts';

/** Share of the shards, of every node, that are computed again at random. */
export const AUDIT_SHARE = 0.01;

/**
 * Limit of consecutive shards that cannot be compared, because the one before did not come, counted from one that was due. An honest node
 * makes such a shard only where it has a second one in a round and the first did not come.
 */
export const GAPS_MAX = 10;

/**
 * Which shards of a run the head computes again: the first of every node, then a random share, every one of a node that was found wrong,
 * and every one that is not finite, or a single node could end a run. When one that is due cannot be compared, because the shard before it
 * did not come, the node's next one that can be is compared in its place.
 */
export class AuditPlan {
  readonly #random: Random;
  readonly #share: number;
  readonly #seen = new Set<ProviderId>();
  readonly #caught = new Set<ProviderId>();
  /** Shards in a row that could not be compared, from the one that was due. */
  readonly #gaps = new Map<ProviderId, number>();

  /** Nodes must not be able to predict `random`. */
  constructor(random: Random, share: number = AUDIT_SHARE) {
    this.#random = random;
    this.#share = share;
  }

  isDue(node: ProviderId, finite: boolean): boolean {
    const byChance = this.#random() < this.#share;
    return byChance || !finite || !this.#seen.has(node) || this.#caught.has(node);
  }

  /** A shard that can be compared came. True when it has to make up for one that could not. */
  makesUp(node: ProviderId): boolean {
    return this.#gaps.delete(node);
  }

  /** A shard that cannot be compared came. True when there were too many in a row, or the node was found wrong. */
  evades(node: ProviderId, isDue: boolean): boolean {
    if (this.#caught.has(node)) return true;
    const gaps = this.#gaps.get(node) ?? 0;
    if (isDue || gaps > 0) this.#gaps.set(node, gaps + 1);
    return gaps >= GAPS_MAX;
  }

  seen(node: ProviderId): void {
    this.#seen.add(node);
  }

  caught(node: ProviderId): void {
    this.#caught.add(node);
  }
}

/** A shard as a node returned it. */
export interface Returned extends ShardTotals {
  /** Decoded; empty for an evaluation. */
  readonly vector: Float32Array;
  /** Null unless it was compressed by top-k. */
  readonly sent: SentShard | null;
}

export interface Terms {
  readonly codec: Compression;
  /** With top-k: what earlier shards left in the node's residual; null where that is unknown. */
  readonly before: Leftovers | null;
  readonly local: boolean;
}

/**
 * Relative to the norm. Devices round differently, by 1e-6, but a unit that is a rounding away from the kink of its ReLU has a gradient on
 * one device and none on another: of a shard of 16 samples that is one or two percent. An error within this matters less than the choice of
 * samples does.
 */
const TOLERANCE = 0.02;
/** Steps in a row let small differences grow. */
const LOCAL_TOLERANCE = 0.1;
/** Absolute tolerance for each sample, for values that are almost zero. */
const FLOOR = 1e-6;
/** Relative to the norm of what was sent: a residual may be much larger than the gradient that is added to it. */
const SENT_ROUNDING = 2 ** -22;
/** In multiples of the codec's error: rounding of this shard, and the residual of the one before, whose rounding may have been larger. */
const CODEC_ERRORS = 4;
/** Share of the samples: the predicted class may differ where two outputs are nearly equal. */
const CORRECT_TOLERANCE = 0.01;

/** What is wrong with a shard, with the figures; '' when it agrees with what the head computed. */
export function disagreement(returned: Returned, expected: ShardSums, terms: Terms): string {
  const [isNumber, shouldBe] = [returned, expected].map((sums) => Number.isFinite(sums.loss) && allFinite(sums.vector));
  if (isNumber !== shouldBe)
    return `it is ${isNumber ? 'a number' : 'no number'}, which here it is${shouldBe ? '' : ' not'}`;
  if (!isNumber) return '';
  return totalsDisagreement(returned, expected, terms) || vectorDisagreement(returned, expected, terms);
}

function totalsDisagreement(returned: ShardTotals, expected: ShardSums, terms: Terms): string {
  const { samples } = expected;
  const lossError = Math.abs(returned.loss - expected.loss);
  if (lossError > toleranceOf(terms) * Math.abs(expected.loss) + FLOOR * samples) {
    return `its loss is ${figure(returned.loss / samples)} a sample, here it is ${figure(expected.loss / samples)}`;
  }
  const correctError = Math.abs(returned.correct - expected.correct);
  const allowed = 1 + (terms.local ? LOCAL_TOLERANCE : CORRECT_TOLERANCE) * samples;
  if (correctError <= allowed) return '';
  return `${returned.correct} of ${samples} answers are right, here ${expected.correct} are`;
}

const toleranceOf = ({ local }: Terms): number => (local ? LOCAL_TOLERANCE : TOLERANCE);

function vectorDisagreement(returned: Returned, expected: ShardSums, terms: Terms): string {
  const { error, rounding } = difference(returned, expected.vector, terms);
  const norm = globalNorm(expected.vector);
  const allowed = toleranceOf(terms) * norm + rounding + FLOOR * expected.samples;
  if (error <= allowed) return '';
  return `its vector is ${figure(error)} away from one of norm ${figure(norm)}, allowed is ${figure(allowed)}`;
}

interface Difference {
  readonly error: number;
  /** The part of it that honest rounding may explain. */
  readonly rounding: number;
}

function difference({ vector, sent }: Returned, exact: Float32Array, { codec, before }: Terms): Difference {
  if (sent === null) {
    const rounding = CODEC_ERRORS * distance(throughCodec(exact, codec), exact);
    return { error: distance(vector, exact), rounding };
  }
  if (before === null) return { error: 0, rounding: 0 };
  return {
    error: distanceFromSent(exact, { vector, shard: sent, before }),
    rounding: SENT_ROUNDING * globalNorm(vector),
  };
}

function throughCodec(vector: Float32Array, codec: Compression): Float32Array {
  if (codec === 'none') return vector;
  const coded = new Float32Array(vector.length);
  decodeGradient(codec, encodeGradient(codec, vector), { out: coded });
  return coded;
}

function distance(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < one.length; i += 1) sum += (one[i]! - other[i]!) ** 2;
  return Math.sqrt(sum);
}

const figure = (value: number): string => value.toPrecision(3);
