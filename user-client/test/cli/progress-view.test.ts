import { describe, expect, jest, test } from '@jest/globals';
import picocolors from 'picocolors';
import { ProgressView } from '../../src/cli/progress-view.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { taskStatus } from '../support/statuses.ts';

function terminal(live: boolean): Terminal & { readonly written: string[] } {
  const written: string[] = [];
  const note = (text: string): void => void written.push(text);
  return { columns: 80, live, colors: picocolors.createColors(false), data: note, note, draw: note, written };
}

describe('ProgressView', () => {
  test('in a log: one line at each change of state, the forecast and the advice once', () => {
    const screen = terminal(false);
    const view = new ProgressView(screen, () => 0);
    const told = { forecast: [{ nodes: 1, ms: 12 }], advice: 'one node would do' };
    view.update(taskStatus({ state: 'waiting', acceptedTiles: 0, ...told }), null);
    view.update(taskStatus({ acceptedTiles: 1, ...told }), null);
    view.update(taskStatus({ acceptedTiles: 2, ...told }), null);
    view.update(taskStatus({ state: 'done', acceptedTiles: 64, ...told }), null);
    view.stop();
    expect(screen.written).toEqual([
      'forecast: 1 node 12 ms',
      'advice: one node would do',
      expect.stringMatching(/^waiting: 0\/64 tiles/),
      expect.stringMatching(/^running: 1\/64 tiles/),
    ]);
  });

  test('in a log: at most one line per second', () => {
    jest.useFakeTimers({ now: 0 });
    const screen = terminal(false);
    const view = new ProgressView(screen, () => 0);
    view.update(taskStatus({ acceptedTiles: 1 }), null);
    view.update(taskStatus({ acceptedTiles: 2 }), null);
    jest.advanceTimersByTime(1000);
    expect(screen.written).toHaveLength(2);
    view.stop();
    jest.useRealTimers();
  });

  test('on a terminal: the picture is drawn over and taken away', () => {
    const screen = terminal(true);
    const view = new ProgressView(screen, () => 0);
    view.update(taskStatus(), null);
    view.update(taskStatus({ advice: 'take fewer nodes' }), null);
    view.stop();
    const up = '\u001B[4A\u001B[0J';
    expect(screen.written).toEqual([
      expect.stringContaining('41/64'),
      up,
      'advice: take fewer nodes',
      expect.stringContaining('41/64'),
      up,
    ]);
  });
});
