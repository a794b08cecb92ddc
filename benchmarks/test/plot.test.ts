import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { barChart, ticksUpTo, type BarChart } from '../src/plot.ts';
import { wellFormed } from './xml.ts';

const chart: BarChart = {
  title: 'Rates & <ratios>',
  subtitle: 'one "machine"',
  valueAxis: 'per second',
  groups: ['n = 1', 'n = 2'],
  series: [
    { name: 'sent', values: [0.5, 1.5] },
    { name: 'resident', values: [2, null] },
  ],
  reference: { value: 1, name: 'in process' },
  format: (value) => `${value}x`,
};

describe('ticksUpTo', () => {
  test('steps by 1, 2 or 5 and goes past the top', () => {
    expect(ticksUpTo(1.9)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(ticksUpTo(2)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
    expect(ticksUpTo(290_000)).toEqual([0, 100_000, 200_000, 300_000]);
    expect(ticksUpTo(0.07)).toEqual([0, 0.02, 0.04, 0.06, 0.08]);
  });

  test('gives a usable axis for any sensible top', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(0), fc.double({ noNaN: true, min: 1e-9, max: 1e9 })), (top) => {
        const ticks = ticksUpTo(top);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)).toBeGreaterThan(top);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(8);
      }),
    );
  });
});

describe('barChart', () => {
  test('is well-formed XML, with every special character escaped', () => {
    const svg = barChart(chart);
    expect(wellFormed(svg)).toBe('');
    expect(svg).toContain('<title>Rates &amp; &lt;ratios&gt;</title>');
    expect(svg).toContain('one &quot;machine&quot;');
  });

  test('is well-formed for any text and value', () => {
    const name = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
    const values = fc.array(fc.option(fc.double({ noNaN: true, min: 0, max: 1e6 })), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(name, fc.array(values, { minLength: 1, maxLength: 6 }), (text, all) => {
        const series = all.map((each) => ({ name: text, values: each }));
        expect(wellFormed(barChart({ ...chart, title: text, groups: [text, 'b', 'c'], series }))).toBe('');
      }),
    );
  });

  test('has one bar for each value and none for a gap', () => {
    const bars = barChart(chart).match(/<rect [^>]*rx=/g) ?? [];
    const legends = chart.series.length;
    expect(bars).toHaveLength(3 + legends);
  });

  test('bars are as high as their values', () => {
    const heights = [...barChart(chart).matchAll(/<rect [^>]*height="([\d.]+)"/g)].map(([, height]) => Number(height));
    const [half, two, oneAndHalf] = heights.slice(2) as [number, number, number];
    expect(two / half).toBeCloseTo(4, 1);
    expect(oneAndHalf / half).toBeCloseTo(3, 1);
  });

  test('says the figures in words', () => {
    expect(barChart(chart)).toContain(
      '<desc>n = 1: sent 0.5x, resident 2x; n = 2: sent 1.5x, resident not measured</desc>',
    );
  });

  test('reads on any background: no fill behind, and no black or white', () => {
    const svg = barChart(chart);
    expect(svg).not.toMatch(/#fff|#000|white|black/i);
    expect(svg).not.toMatch(/<rect [^>]*width="760"/);
  });
});
