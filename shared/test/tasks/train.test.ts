import { describe, expect, test } from '@jest/globals';
import {
  blockIdOf,
  limits,
  parseTrainSpec,
  readShardResult,
  shardHeader,
  taskTypeNamed,
  type NodeFacts,
  type ProviderId,
  type TrainLayout,
  type TrainRound,
  type TrainSpec,
  type TrainWork,
} from '@muster/shared';
import { trainSpec } from '@muster/shared/testkit';

const specOf = (options: object): TrainSpec => parseTrainSpec(trainSpec(options, { testSamples: 0 }));

const node: NodeFacts = {
  gflops: { float32: 100, float64: 100, int8: 100 },
  memoryBytes: 2 ** 30,
  linkBytesPerMs: 1e6,
};

const ask = { kind: 'gradient', step: 0, epoch: 0, from: 0, to: 128, learningRate: 0.1 } as const;

const train = taskTypeNamed('train');
const rounds = train.rounds!;

const planOf = (spec: TrainSpec, nodes: number) =>
  rounds.plan(
    spec,
    { round: 1, blocks: [], ask },
    Array.from({ length: nodes }, () => node),
  );

const block = (text: string) => blockIdOf(Buffer.from(text));

function workOf(spec: TrainSpec): TrainWork {
  return train.work(spec, planOf(spec, 1), lease) as TrainWork;
}

const one = '1'.repeat(16) as ProviderId;
const lease = { indices: [0], blocks: () => block('any'), node: one };

describe('shards of a round', () => {
  test.each([
    [{ aggregator: 'mean' }, 1, 1],
    [{ aggregator: 'median' }, 1, 3],
    [{ aggregator: 'median' }, 2, 3],
    [{ aggregator: 'median' }, 5, 5],
    [{ aggregator: 'trimmed-mean' }, 2, 4],
    [{ aggregator: 'trimmed-mean', trim: 0.1 }, 2, 10],
    [{ aggregator: 'median', deterministic: true, virtualShards: 2 }, 1, 3],
  ])('with %j on %d nodes are at least as many as are needed: %d', (options, nodes, shards) => {
    const spec = specOf(options);
    const plan = planOf(spec, nodes);
    const cut = (plan.layout as TrainLayout).shards;
    expect(cut).toHaveLength(shards);
    expect([cut[0]![0], cut.at(-1)![1]]).toEqual([0, 128]);
    expect(new Set(plan.homes).size).toBe(Math.min(nodes, shards));
  });

  test('that a round cannot do without are those that a robust aggregator needs', () => {
    const quorum = (options: object, nodes: number): number => {
      const spec = specOf(options);
      return rounds.quorum(spec, planOf(spec, nodes));
    };
    expect(quorum({}, 4)).toBe(2);
    expect(quorum({ aggregator: 'median' }, 4)).toBe(3);
    expect(quorum({ aggregator: 'trimmed-mean' }, 2)).toBe(4);
  });
});

describe('work', () => {
  const readWork = (raw: unknown) => train.readWork(raw);

  test('of steps alone has the optimizer of the run', () => {
    const options = { optimizer: 'adamw', weightDecay: 0.3, clipNorm: 2, beta1: 0.8, beta2: 0.95, epsilon: 1e-5 };
    const work = workOf(specOf({ ...options, localSteps: 4 }));
    expect(work.local).toMatchObject({ ...options, steps: 1, learningRate: 0.1 });
    expect(readWork(work).work).toEqual(work);
  });

  test('says which shard of its node came last, none where the round knows of none', () => {
    const spec = specOf({ compression: 'topk:1%' });
    const takenIn = (taken: TrainRound['taken']): TrainWork['taken'] => {
      const plan = rounds.plan(spec, { round: 1, blocks: [], ask: { ...ask, taken } }, [node]);
      return (readWork(train.work(spec, plan, lease)).work as TrainWork).taken;
    };
    expect(takenIn({ [one]: 2 ** 32 - 1 })).toBe(2 ** 32 - 1);
    expect(takenIn({ ['2'.repeat(16) as ProviderId]: 7 })).toBe(0);
    expect(takenIn(undefined)).toBeNull();
  });

  test.each([
    [{ samples: limits.samplesMax.value + 1 }, 'Too big'],
    [{ taken: 2 ** 32 }, 'Too big'],
    [{ to: 513 }, 'its samples are not in the set'],
    [{ from: 100, to: 99 }, 'its samples are not in the set'],
    [{ numbers: [0] }, 'its blocks are not numbered'],
  ])('with %j is refused', (wrong, why) => {
    const work = workOf(specOf({}));
    expect(() => readWork({ ...work, ...wrong })).toThrow(why);
  });

  test('of more steps alone than there are samples is refused', () => {
    const work = workOf(specOf({ localSteps: 4 }));
    expect(() => readWork({ ...work, local: { ...work.local, steps: 513 } })).toThrow('more steps than samples');
  });
});

test('a loss that no sum can hold is no result', () => {
  const header = (loss: number) => shardHeader({ samples: 4, correct: 1, loss });
  expect(() => readShardResult(header(1.7e308), 4)).toThrow(expect.objectContaining({ why: 'its loss is 1.7e+308' }));
  expect(readShardResult(header(Number.POSITIVE_INFINITY), 4).loss).toBe(Number.POSITIVE_INFINITY);
});

test('a shard result says which shard it follows, none unless it is told', () => {
  const totals = { samples: 4, correct: 1, loss: 2 };
  const read = (header: Uint8Array) => readShardResult(Buffer.concat([header, Uint8Array.of(7)]), 4);
  const numbers = { number: 2 ** 32 - 1, after: 2 ** 32 - 2 };
  expect(read(shardHeader({ ...totals, ...numbers }))).toMatchObject({ ...totals, ...numbers });
  expect(read(shardHeader(totals))).toMatchObject({ number: 0, after: 0, payload: Uint8Array.of(7) });
});
