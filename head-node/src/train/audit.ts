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

/** Share of the shards that are computed again, whoever they are from. */
export const AUDIT_SHARE = 0.01;

/**
 * Which shards of a run the head computes again: the first of every node, then some that nobody can foretell, every one of a node that was
 * found wrong, and every one that is no number, or a single node could end a run.
 */
export class AuditPlan {
  readonly #random: Random;
  readonly #share: number;
  readonly #seen = new Set<ProviderId>();
  readonly #caught = new Set<ProviderId>();

  /** `random` must not follow from what nodes know. */
  constructor(random: Random, share: number = AUDIT_SHARE) {
    this.#random = random;
    this.#share = share;
  }

  isFirstOf(node: ProviderId): boolean {
    return !this.#seen.has(node);
  }

  isDue(node: ProviderId, finite: boolean): boolean {
    const byChance = this.#random() < this.#share;
    return byChance || !finite || this.isFirstOf(node) || this.#caught.has(node);
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
}

export interface Terms {
  readonly codec: Compression;
  /** May the node have added what compression left out of shards before? */
  readonly mayCarryResidual: boolean;
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
  return totalsDisagreement(returned, expected, terms) || vectorDisagreement(returned.vector, expected, terms);
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

function vectorDisagreement(vector: Float32Array, { samples, vector: exact }: ShardSums, terms: Terms): string {
  const sparse = typeof terms.codec === 'object';
  // Top-k sends what has gathered over a hundred shards: one of them says nothing about it.
  if (sparse && terms.mayCarryResidual) return '';
  const coded = throughCodec(exact, terms.codec);
  const expected = sparse ? coded : exact;
  const codecError = sparse ? 0 : CODEC_ERRORS * distance(coded, exact);
  const norm = globalNorm(expected);
  const allowed = toleranceOf(terms) * norm + codecError + FLOOR * samples;
  const error = distance(vector, expected);
  if (error <= allowed) return '';
  return `its vector is ${figure(error)} away from one of norm ${figure(norm)}, allowed is ${figure(allowed)}`;
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
