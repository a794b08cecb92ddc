import { describe, expect, test } from '@jest/globals';
import type { DestinationTraffic, Entry } from '../src/outbox.ts';
import { ConfirmWatchdog } from '../src/confirm-watchdog.ts';

/** One queue of a broker, with something that waits for its answer. */
function queue(name = 'p.a.tasks', answers = 7): DestinationTraffic {
  const waiting = new Set([{} as Entry]);
  return { name, waiting, parked: new Set(), inFlight: 1, answers, isMute: false };
}

function looksAt(
  destinations: readonly DestinationTraffic[],
  looks: number,
  meanwhile = (): void => undefined,
): ConfirmWatchdog {
  const silence = new ConfirmWatchdog(5000, () => ({ isOpen: true, destinations }));
  for (let look = 0; look < looks; look += 1) {
    silence.look();
    meanwhile();
  }
  return silence;
}

describe('a broker that confirms nothing', () => {
  test('is silent when something has waited from one look to the fifth after it, until the first answer', () => {
    const only = queue();
    const silence = looksAt([only], 6);
    expect(silence.lookMs).toBe(1000);
    expect(silence.reason).toBeUndefined();
    silence.look();
    expect(silence.reason).toBe('no confirmation for 5 s');
    only.answers = 8;
    expect(silence.reason).toBeUndefined();
    silence.look();
    expect(silence.reason).toBeUndefined();
    expect(only.isMute).toBe(false);
  });

  test('is not silent when nothing waits, or as long as something is answered', () => {
    const idle = queue();
    idle.waiting.clear();
    expect(looksAt([idle], 100).reason).toBeUndefined();
    const busy = queue();
    expect(looksAt([busy], 100, () => (busy.answers += 1)).reason).toBeUndefined();
  });

  test('is not yet silent by the connection after one by which it was', () => {
    let isOpen = true;
    const destinations = [queue()];
    const silence = new ConfirmWatchdog(5000, () => ({ isOpen, destinations }));
    for (let look = 0; look < 10; look += 1) silence.look();
    expect(silence.reason).toBeDefined();
    isOpen = false;
    silence.look();
    isOpen = true;
    silence.look();
    expect(silence.reason).toBeUndefined();
  });
});

describe('a queue that confirms nothing', () => {
  test('is mute when others do, and that is no silence of the broker, however often the others rest', () => {
    const [stuck, well] = [queue('p.a.tasks'), queue('events')];
    const silence = looksAt([stuck, well], 7, () => (well.answers += 1));
    expect(silence.reason).toBeUndefined();
    expect([stuck.isMute, well.isMute]).toEqual([true, false]);
    well.waiting.clear();
    for (let look = 0; look < 20; look += 1) silence.look();
    expect(silence.reason).toBeUndefined();
  });

  test('is found although its messages are withdrawn again and again', () => {
    const [stuck, well] = [queue('p.a.tasks'), queue('events')];
    let rounds = 0;
    looksAt([stuck, well], 20, () => {
      well.answers += 1;
      if ((rounds += 1) % 2 === 0) stuck.waiting.clear();
      else stuck.waiting.add({} as Entry);
    });
    expect(stuck.isMute).toBe(true);
  });

  test('is not told apart from a silent broker when the others were silent before it', () => {
    const [first, second] = [queue('p.a.tasks'), queue('events')];
    let looks = 0;
    const silence = looksAt([first, second], 10, () => {
      if ((looks += 1) < 3) second.answers += 1;
    });
    expect([first.isMute, second.isMute]).toEqual([false, false]);
    expect(silence.reason).toMatch(/^no confirmation for \d s$/);
  });

  test('is as bad as a silent broker where all tasks use it', () => {
    const [well, stuck] = [queue('p.a.tasks'), queue('events')];
    const silence = looksAt([well, stuck], 7, () => (well.answers += 1));
    expect(silence.reason).toBe('no confirmation from events for 5 s');
    expect(silence.look()).toEqual([]);
  });
});
