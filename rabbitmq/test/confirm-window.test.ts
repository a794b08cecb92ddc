import { expect, test } from '@jest/globals';
import type { TaskId } from '@muster/shared';
import { ConfirmWindow } from '../src/confirm-window.ts';
import { Outbox, type Entry } from '../src/outbox.ts';
import { Watermarks } from '../src/watermarks.ts';

/** Entries that an outbox has sent, in order. */
function sent(window: ConfirmWindow, keys: readonly string[]): { readonly outbox: Outbox; readonly entries: Entry[] } {
  const outbox = new Outbox({ maxBytes: 1e6, windowMessages: 100, windowBytes: 1e6 }, new Watermarks());
  const task = 't' as TaskId;
  for (const key of keys) outbox.add({ destination: { to: 'blocks', task }, key, task, frames: [] }, 0);
  const entries = keys.map(() => outbox.take()).filter((entry) => entry !== undefined);
  for (const entry of entries) window.sent(entry);
  return { outbox, entries };
}

test('what comes back is missed, unless it was withdrawn on its way', () => {
  const window = new ConfirmWindow();
  const { outbox, entries } = sent(window, ['kept', 'withdrawn']);
  outbox.withdraw('withdrawn');
  expect([window.returned('kept'), window.returned('withdrawn')]).toEqual([true, false]);
  expect(window.settle({ deliveryTag: 2, multiple: true })).toEqual(entries);
  for (const entry of entries) outbox.confirm(entry);
  expect(outbox.counts).toMatchObject({ confirmed: 0, unrouted: 1 });
});

test('a confirm of many settles those that are left, with a tag for what was no entry', () => {
  const window = new ConfirmWindow();
  const { entries } = sent(window, ['a', 'b']);
  window.skip();
  const { entries: later } = sent(window, ['c']);
  expect(window.settle({ deliveryTag: 2, multiple: false })).toEqual([entries[1]]);
  expect(window.settle({ deliveryTag: 4, multiple: true })).toEqual([entries[0], ...later]);
  expect(window.settle({ deliveryTag: 4, multiple: false })).toEqual([]);
});
