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

/** Share of the shards that are computed again, whoever they are from. */
export const AUDIT_SHARE = 0.01;

/**
 * So many shards in a row may each follow one that did not come, where one was to be compared. An honest node makes one only where it has a
 * second shard in a round and the first did not come.
 */
export const GAPS_MAX = 10;

/**
 * Which shards of a run the head computes again: the first of every node, then some that nobody can foretell, every one of a node that was
 * found wrong, and every one that is no number, or a single node could end a run. One that cannot be compared, because what went
 * before it did not come, is made up for by the next that can.
 */
export class AuditPlan {
  readonly #random: Random;
  readonly #share: number;
  readonly #seen = new Set<ProviderId>();
  readonly #caught = new Set<ProviderId>();
  /** Shards since the one that was to be compared, that one included. */
  readonly #gaps = new Map<ProviderId, number>();

  /** `random` must not follow from what nodes know. */
  constructor(random: Random, share: number = AUDIT_SHARE) {
    this.#random = random;
    this.#share = share;
  }

  isDue(node: ProviderId, finite: boolean): boolean {
    const byChance = this.#random() < this.#share;
    return byChance || !finite || !this.#seen.has(node) || this.#caught.has(node);
  }

  /** A shard that can be compared came; true where that makes up for one that could not. */
  makesUp(node: ProviderId): boolean {
    return this.#gaps.delete(node);
  }

  /** One came that cannot be; true when that is so too often, or the node was found wrong. */
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
  /** Null for what does not travel by top-k. */
  readonly sent: SentShard | null;
}

export interface Terms {
  readonly codec: Compression;
  /** With top-k: what the node had left of shards before, null where nobody knows. */
  readonly before: Leftovers | null;
  readonly local: boolean;
}

/**
 * Relative to the norm. Devices round differently, by 1e-6, but a unit that is a rounding away from the kink of its ReLU has a gradient
 * on one device and none on another: of a shard of 16 samples that is one or two percent. What a wrong gradient does within
 * this is less than what its choice of samples does.
 */
const TOLERANCE = 0.02;
/** Steps in a row let small differences grow. */
const LOCAL_TOLERANCE = 0.1;
/** For each sample, where everything is almost zero. */
const FLOOR = 1e-6;
/** Of what was sent: a residual may be much larger than the gradient that is added to it. */
const SENT_ROUNDING = 2 ** -22;
/** Rounding of this shard, and what rounding left of the one before, which may have been larger. */
const CODEC_ERRORS = 4;
/** Right answers may differ where two outputs are nearly equal. */
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
  /** As much of it as honest rounding may be. */
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
