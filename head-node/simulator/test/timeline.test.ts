import { describe, expect, test } from '@jest/globals';
import { Draw } from '../src/draw.ts';
import { SimProcess } from '../src/sim-process.ts';
import { Timeline } from '../src/timeline.ts';

describe('virtual time', () => {
  test('what comes earlier is run earlier, whatever the order of scheduling', () => {
    const timeline = new Timeline();
    const draw = new Draw(1);
    const seen: number[] = [];
    for (let at = 0; at < 500; at += 1) timeline.after(draw.whole(0, 50), () => seen.push(timeline.nowMs));
    while (timeline.step());
    expect(seen).toHaveLength(500);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  test('at the same time the order of scheduling counts', () => {
    const timeline = new Timeline();
    const seen: number[] = [];
    for (let at = 0; at < 20; at += 1) timeline.after(5, () => seen.push(at));
    while (timeline.step());
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe('a process', () => {
  test('frozen, it hears everything when it wakes, in order', () => {
    const timeline = new Timeline();
    const process = new SimProcess(timeline);
    const seen: string[] = [];
    process.after(10, () => seen.push(`timer at ${timeline.nowMs}`));
    process.freeze();
    timeline.after(20, () => process.hear(() => seen.push(`message at ${timeline.nowMs}`)));
    timeline.after(30, () => process.thaw());
    while (timeline.step());
    expect(seen).toEqual(['timer at 30', 'message at 30']);
  });

  test('dead, it hears nothing', () => {
    const timeline = new Timeline();
    const process = new SimProcess(timeline);
    let heard = 0;
    process.after(10, () => (heard += 1));
    process.kill();
    while (timeline.step());
    expect(heard).toBe(0);
  });
});
