/**
 * Audits of what top-k sends, on real networks. By hand: AUDIT_STEPS=1000 audits 2,000 honest shards of each, and says how many of each kind
 * it refused; AUDIT_HONEST=300 has liars begin so late, when gradients are small.
 */
import { afterEach, expect, test } from '@jest/globals';
import type { Preset } from '@muster/shared';
import { directories } from './linear-run.ts';
import { trainSparsely, type Lie } from './sparse-training.ts';

afterEach(() => directories.removeAll());

const STEPS = Number(process.env['AUDIT_STEPS'] ?? 8);
const isByHand = process.env['AUDIT_STEPS'] !== undefined;
/** Each lie takes as long as an honest shard. */
const HONEST = Number(process.env['AUDIT_HONEST'] ?? Math.min(30, STEPS / 2));

const scaled =
  (factor: number): Lie =>
  (gradient) =>
    gradient.map((value) => factor * value);

const large: Record<string, Lie> = {
  'turns signs': scaled(-1),
  'sends nothing': scaled(0),
  'sends half': scaled(0.5),
  'sends twice as much': scaled(2),
  'sends ten times as much': scaled(10),
};
const lies = { ...large, 'sends a tenth more': scaled(1.1) };

/** Another device rounds by so much, and units near the kinks of their ReLUs make more of it. */
const ROUNDING = 1e-6;

const cases: readonly [Preset, number][] = [
  ['mlp', 16],
  ['lenet', 16],
  ['lenet', 128],
];

test.each(cases)(
  'of %s with shards of %d samples honest ones pass, and who turns signs or sends another size is seen',
  async (model, shard) => {
    const directory = directories.make();
    const options = { model, shard, steps: STEPS, directory, lies, honest: HONEST, rounding: ROUNDING };
    const { tallies, loss } = await trainSparsely(options);
    if (isByHand) process.stderr.write(`${model} ${shard}: loss ${loss.toFixed(3)} ${JSON.stringify(tallies)}\n`);
    expect(tallies['honest']).toEqual({ shards: 2 * STEPS, refused: 0, first: null });
    const seen = (lie: string): number => tallies[lie]!.refused / tallies[lie]!.shards;
    for (const lie of Object.keys(large)) expect([lie, tallies[lie]!.first]).toEqual([lie, HONEST + 1]);
    for (const lie of Object.keys(large)) expect(seen(lie)).toBeGreaterThan(0.9);
    expect(seen('sends a tenth more')).toBeGreaterThan(0.1);
  },
  isByHand ? 3_600_000 : 60_000,
);
