import { describe, expect, test } from '@jest/globals';
import type { ProviderId, TaskId } from '@muster/shared';
import { Outbox, type Entry } from '../src/outbox.ts';
import { Watermarks } from '../src/watermarks.ts';

const task = '0123456789abcdef' as TaskId;
const limits = { maxBytes: 100_000, windowMessages: 4, windowBytes: 100_000 };

class Rig {
  readonly outbox = new Outbox(limits, new Watermarks());
  readonly sent = new Map<string, Entry>();

  /** Keys are a provider and a number. */
  add(...keys: string[]): void {
    for (const key of keys) {
      const provider = key[0] as ProviderId;
      this.outbox.add({ destination: { to: 'provider', provider }, key, task, frames: [] }, 0);
    }
  }

  /** What goes out now. */
  send(): string[] {
    const keys: string[] = [];
    for (let entry = this.outbox.take(); entry; entry = this.outbox.take()) {
      keys.push(entry.publication.key);
      this.sent.set(entry.publication.key, entry);
    }
    return keys;
  }

  settle(act: (entry: Entry) => void, ...keys: string[]): void {
    for (const key of keys) {
      const entry = this.sent.get(key);
      if (entry) act(entry);
    }
  }

  confirm(...keys: string[]): void {
    this.settle((entry) => this.outbox.confirm(entry), ...keys);
  }

  mute(): void {
    for (const destination of this.outbox.destinations) destination.isMute = destination.name === 'p.a.tasks';
  }
}

describe('a mute destination', () => {
  test('leaves the window to the others, and gets the rest when it answers', () => {
    const rig = new Rig();
    rig.add('a1');
    expect(rig.send()).toEqual(['a1']);
    rig.mute();
    rig.add('a2', 'b1', 'a3', 'b2', 'a4');
    expect(rig.send()).toEqual(['b1', 'b2']);
    rig.confirm('b1', 'b2');
    expect(rig.outbox.oldestMs).toBeUndefined();
    expect(rig.outbox.muteQueues).toBe(1);
    rig.outbox.withdraw('a3');
    expect(rig.send()).toEqual([]);
    rig.confirm('a1');
    expect(rig.outbox.muteQueues).toBe(0);
    expect(rig.send()).toEqual(['a2', 'a4']);
    rig.confirm('a2', 'a4');
    expect(rig.outbox.messages).toBe(0);
  });

  test('answers also with what was withdrawn meanwhile', () => {
    const rig = new Rig();
    rig.add('a1', 'a2');
    rig.send();
    rig.mute();
    rig.outbox.withdraw('a1');
    rig.add('a3');
    expect(rig.send()).toEqual([]);
    rig.confirm('a1');
    expect(rig.send()).toEqual(['a3']);
  });

  test('that refuses what it gets is tried with one at a time', () => {
    const rig = new Rig();
    rig.add('a1');
    rig.send();
    rig.mute();
    rig.add('a2', 'a3');
    expect(rig.send()).toEqual([]);
    rig.settle((entry) => rig.outbox.refuse(entry), 'a1');
    expect(rig.send()).toEqual(['a2']);
    expect(rig.send()).toEqual([]);
  });

  test('is forgotten with its connection', () => {
    const rig = new Rig();
    rig.add('a1');
    rig.send();
    rig.mute();
    rig.add('a2', 'b1');
    rig.send();
    rig.outbox.recall();
    expect(rig.send()).toEqual(['a1', 'a2', 'b1']);
    expect(rig.outbox.muteQueues).toBe(0);
  });
});
