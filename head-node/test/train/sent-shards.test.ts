import { describe, expect, test } from '@jest/globals';
import {
  decodeGradient,
  ErrorFeedback,
  globalNorm,
  readShardResult,
  seededRandom,
  shardHeader,
  type Random,
} from '@muster/shared';
import * as fc from 'fast-check';
import { distanceFromSent, NO_LEFTOVERS, SentShards, sentShard, type SentShard } from '../../src/train/sent-shards.ts';
import { nodeNamed } from './linear-run.ts';

const PLACES = 2000;
const SHARE = 0.01;
const node = nodeNamed('one');

/** A gradient as training has it: places of very unequal size, most of it noise that is another in each step. */
class GradientStream {
  readonly #random: Random;
  readonly #sizes: Float64Array;
  readonly #drift: Float64Array;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#sizes = Float64Array.from({ length: PLACES }, () => Math.exp(1.5 * this.#normal()));
    this.#drift = Float64Array.from({ length: PLACES }, () => 0.2 * this.#normal());
  }

  next(): Float32Array {
    return Float32Array.from({ length: PLACES }, (_, at) => this.#sizes[at]! * (this.#drift[at]! + this.#normal()));
  }

  /** Another device's: a place in a hundred is off by as much as two samples in a hundred make. */
  onAnotherDevice(gradient: Float32Array, share: number): Float32Array {
    const error = gradient.map(() => (this.#random() < 0.01 ? this.#normal() : 0));
    const factor = (share * globalNorm(gradient)) / Math.max(1e-30, globalNorm(error));
    return gradient.map((value, at) => value + factor * error[at]!);
  }

  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }
}

/** A node and what the head sees of it. */
class Node {
  readonly #feedback: ErrorFeedback;
  readonly #codec: { readonly topk: number };
  readonly #shards = new SentShards();
  readonly #vector: Float32Array;

  constructor(places: number, topk: number) {
    this.#codec = { topk };
    this.#feedback = new ErrorFeedback(this.#codec, places);
    this.#vector = new Float32Array(places);
  }

  /** How far from what it sends the gradient is, which should be the one that it had; null where the head cannot tell. */
  send(claimed: Float32Array, gradient: Float32Array): number | null {
    const { latest: after } = this.#feedback;
    const payload = this.#feedback.encode(claimed);
    const number = this.#feedback.latest;
    decodeGradient(this.#codec, payload, { out: this.#vector });
    const header = shardHeader({ samples: 1, correct: 0, loss: 0, number, after });
    const shard = sentShard(readShardResult(Buffer.concat([header, payload]), 1));
    const before = this.#shards.leftoversFor(node, shard);
    this.#shards.add(node, shard);
    return before === null ? null : distanceFromSent(gradient, { vector: this.#vector, shard, before });
  }
}

/** Twice what is tolerated. */
const SEEN = 0.04;

const scaled = (factor: number) => (gradient: Float32Array) => gradient.map((value) => factor * value);

/** Of the distances that the head finds, each as a share of the gradient's norm. */
function distancesOf(liesFrom: number, lie: (gradient: Float32Array) => Float32Array, shards: number): number[] {
  const stream = new GradientStream(5);
  const sender = new Node(PLACES, SHARE);
  return Array.from({ length: shards }, (_, at) => {
    const gradient = stream.next();
    return sender.send(at < liesFrom ? gradient : lie(gradient), gradient)! / globalNorm(gradient);
  });
}

describe('what an honest node sends', () => {
  test('leaves room for its gradient, whatever that is', () => {
    const values = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(
        fc.array(values, { minLength: 2, maxLength: 12 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (steps, topk) => {
          const sender = new Node(7, topk);
          for (const step of steps) {
            const gradient = Float32Array.from(step);
            expect(sender.send(gradient, gradient)).toBeLessThanOrEqual(0.01);
          }
        },
      ),
    );
  });

  test.each([0, 0.019])('of 400 shards not one is far off, with devices that differ by %d', (share) => {
    const stream = new GradientStream(9);
    const sender = new Node(PLACES, SHARE);
    for (let shard = 0; shard < 400; shard += 1) {
      const gradient = stream.next();
      const distance = sender.send(stream.onAnotherDevice(gradient, share), gradient)!;
      expect(distance / globalNorm(gradient)).toBeLessThan(0.02);
    }
  });
});

describe.each([
  ['turns signs', scaled(-1)],
  ['sends nothing', scaled(0)],
  ['sends half of it', scaled(0.5)],
  ['sends twice as much', scaled(2)],
  ['sends ten times as much', scaled(10)],
  ['sends another gradient', (gradient: Float32Array) => gradient.toReversed()],
])('a node that %s', (_what, lie) => {
  test('is seen at its first shard, and at 98 in a hundred after that', () => {
    const distances = distancesOf(0, lie, 100);
    expect(distances[0]).toBeGreaterThan(SEEN);
    expect(distances.filter((distance) => distance > SEEN).length).toBeGreaterThanOrEqual(98);
  });

  test('after a hundred honest shards is seen at once', () => {
    const distances = distancesOf(100, lie, 150);
    for (const distance of distances.slice(0, 100)) expect(distance).toBeLessThan(1e-6);
    expect(distances[100]).toBeGreaterThan(SEEN);
    expect(distances.slice(100).filter((distance) => distance > SEEN).length).toBeGreaterThanOrEqual(49);
  });
});

describe('the shard before', () => {
  const shard = (number: number, after: number): SentShard => ({ number, after, sent: Int32Array.of(3), most: 0.5 });

  test('is the one that it says, of the same node', () => {
    const shards = new SentShards();
    shards.add(node, shard(4, 3));
    expect(shards.leftoversFor(node, shard(9, 4))).toEqual(shard(4, 3));
    expect(shards.leftoversFor(nodeNamed('two'), shard(9, 4))).toBeNull();
    for (const other of [1, 3, 5]) expect(shards.leftoversFor(node, shard(9, other))).toBeNull();
  });

  test('left nothing where there was none', () => {
    const shards = new SentShards();
    shards.add(node, shard(4, 3));
    expect(shards.leftoversFor(node, shard(9, 0))).toBe(NO_LEFTOVERS);
  });

  test('is what a node is told of when a round begins', () => {
    const shards = new SentShards();
    expect(shards.beginRound()).toEqual({});
    shards.add(node, shard(4, 0));
    expect(shards.mayFollow(node)).toBe(false);
    expect(shards.beginRound()).toEqual({ [node]: 4 });
    expect([shards.mayFollow(node), shards.mayFollow(nodeNamed('two'))]).toEqual([true, false]);
  });
});
