/** Audits of what top-k sends, on real networks. By hand: AUDIT_STEPS=600 finds out how often which lie is seen, and says so. */
import { afterEach, expect, test } from '@jest/globals';
import type { Preset } from '@muster/shared';
import { directories } from './linear-run.ts';
import { trainSparsely, type Lie } from './sparse-training.ts';

afterEach(() => directories.removeAll());

const STEPS = Number(process.env['AUDIT_STEPS'] ?? 20);
const isByHand = process.env['AUDIT_STEPS'] !== undefined;

const scaled =
  (factor: number): Lie =>
  (gradient) =>
    gradient.map((value) => factor * value);

const lies: Record<string, Lie> = {
  'turns signs': scaled(-1),
  'sends nothing': scaled(0),
  'sends half': scaled(0.5),
  'sends a tenth more': scaled(1.1),
  'sends twice as much': scaled(2),
  'sends ten times as much': scaled(10),
};

/** Another device rounds by so much, and units near the kinks of their ReLUs make more of it. */
const ROUNDING = 1e-6;

const cases: readonly [Preset, number][] = [
  ['mlp', 16],
  ['mlp', 64],
  ['lenet', 16],
];

test.each(cases)(
  'of %s with shards of %d samples honest ones pass, and who turns signs or sends another size is seen',
  async (model, shard) => {
    const directory = directories.make();
    const honest = Math.floor(STEPS / 2);
    const options = { model, shard, steps: STEPS, directory, lies, honest, rounding: ROUNDING };
    const { tallies, loss } = await trainSparsely(options);
    if (isByHand) process.stderr.write(`${model} ${shard}: loss ${loss.toFixed(3)} ${JSON.stringify(tallies)}\n`);
    expect(tallies['honest']).toEqual({ shards: 2 * STEPS, refused: 0, first: null });
    for (const lie of ['turns signs', 'sends nothing', 'sends twice as much', 'sends ten times as much']) {
      const { shards, refused, first } = tallies[lie]!;
      expect([lie, refused / shards]).toEqual([lie, expect.any(Number)]);
      expect(refused / shards).toBeGreaterThan(0.5);
      expect(first).toBeLessThanOrEqual(honest + 3);
    }
  },
  isByHand ? 3_600_000 : 60_000,
);
