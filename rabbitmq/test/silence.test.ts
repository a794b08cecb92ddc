import { describe, expect, test } from '@jest/globals';
import { Silence } from '../src/silence.ts';

describe('a broker that confirms nothing', () => {
  const looksAt = (traffic: { waits: boolean; answers: number }, looks: number): Silence => {
    const silence = new Silence(5000, () => traffic);
    for (let look = 0; look < looks; look += 1) silence.look();
    return silence;
  };

  test('is silent when something has waited from one look to the fifth after it, until the first answer', () => {
    const traffic = { waits: true, answers: 7 };
    const silence = looksAt(traffic, 6);
    expect(silence.lookMs).toBe(1000);
    expect(silence.reason).toBeUndefined();
    silence.look();
    expect(silence.reason).toBe('no confirmation for 5 s');
    traffic.answers = 8;
    expect(silence.reason).toBeUndefined();
    silence.look();
    expect(silence.reason).toBeUndefined();
  });

  test('is not silent when nothing waits, or as long as something is answered', () => {
    expect(looksAt({ waits: false, answers: 0 }, 100).reason).toBeUndefined();
    let answers = 0;
    const silence = new Silence(5000, () => ({ waits: true, answers }));
    for (let look = 0; look < 100; look += 1) {
      silence.look();
      answers += 1;
    }
    expect(silence.reason).toBeUndefined();
  });
});
