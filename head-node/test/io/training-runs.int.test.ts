import { afterEach, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockIdOf, toWireError, type TaskId, type TrainingReport } from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import type { HeadEvent } from '../../src/core/events.ts';
import { TrainingRuns } from '../../src/io/training-runs.ts';
import type { MadeBlock, ReadyRound, Trainer, TrainerListener } from '../../src/train/index.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const [one, other] = ['0000000000000001', '0000000000000002'] as const as readonly [TaskId, TaskId];

const report = { step: 3, checkpointBytes: 0 } as TrainingReport;

/** Runs whose trainer is played by the test: blocks are named by their content. */
class Runs {
  readonly events: HeadEvent[] = [];
  readonly closed: TaskId[] = [];
  readonly checkpoint = join(directories.make(), 'checkpoint');
  readonly store: BlockStore;
  readonly runs: TrainingRuns;
  readonly listener: TrainerListener;

  private constructor(store: BlockStore) {
    this.store = store;
    const trainer = {
      listen: () => undefined,
      tasks: () => [other],
      checkpointPath: () => this.checkpoint,
      close: (task: TaskId) => void this.closed.push(task),
    };
    writeFileSync(this.checkpoint, 'of a life before');
    this.runs = new TrainingRuns({ trainer: trainer as unknown as Trainer, blocks: store });
    this.listener = this.runs;
    this.runs.tell((event) => this.events.push(event));
  }

  static async in(maxBytes = 10_000): Promise<Runs> {
    return new Runs(await BlockStore.open({ directory: directories.make(), maxBytes }));
  }

  made(task: TaskId, round: number, { operand, text }: { operand: string; text: string }): MadeBlock {
    const path = this.store.incomingPath(`${operand}-${task}-${round}`);
    writeFileSync(path, text);
    return { operand, id: blockIdOf(Buffer.from(text)), bytes: text.length, path };
  }

  /** Of these weights. */
  ready(task: TaskId, round: number, weights: string): void {
    this.#ready(task, round, [this.made(task, round, { operand: 'weights', text: weights })]);
  }

  /** Of a block whose file is not there. */
  readyWithout(task: TaskId, lost: MadeBlock): void {
    this.#ready(task, 1, [lost]);
  }

  #ready(task: TaskId, round: number, more: readonly MadeBlock[]): void {
    const model = this.made(task, round, { operand: 'model', text: 'model' });
    const blocks = [model, ...more];
    this.listener.ready(task, {
      type: 'ready',
      start: { round, blocks, ask: null },
      blocks,
      report,
    } as unknown as ReadyRound);
  }

  holds(text: string): boolean {
    const id = blockIdOf(Buffer.from(text));
    return this.store.has(id) && readFileSync(this.store.pathOf(id), 'utf8') === text;
  }
}

test('a run lets go of nothing that another has too', async () => {
  const runs = await Runs.in();
  runs.ready(one, 1, 'weights');
  runs.ready(other, 1, 'weights');
  for (const round of [2, 3, 4]) runs.ready(one, round, `weights ${round}`);
  expect([runs.holds('model'), runs.holds('weights')]).toEqual([true, true]);
  runs.runs.close(one);
  expect([runs.holds('model'), runs.holds('weights'), runs.holds('weights 4')]).toEqual([true, true, false]);
  runs.runs.close(other);
  expect([runs.holds('model'), runs.holds('weights')]).toEqual([false, false]);
});

test('weights that did not change are let go as often as they were made', async () => {
  const runs = await Runs.in();
  for (const round of [1, 2]) runs.ready(one, round, 'weights');
  for (const round of [3, 4, 5]) runs.ready(one, round, `weights ${round}`);
  expect([runs.holds('weights'), runs.holds('weights 4'), runs.holds('weights 5')]).toEqual([false, true, true]);
});

test('a run whose blocks find no room fails, and leaves no files', async () => {
  const runs = await Runs.in(20);
  runs.ready(one, 1, 'weights');
  runs.ready(one, 2, 'too many weights');
  expect(runs.events.at(-1)).toMatchObject({ type: 'rounds-failed', task: one, error: { code: 'DISK_FULL' }, report });
  expect(runs.closed).toEqual([one]);
  expect([runs.holds('model'), runs.holds('weights'), runs.store.incomingNames()]).toEqual([false, false, []]);
});

test('a run whose blocks are not there fails', async () => {
  const runs = await Runs.in();
  const lost = {
    operand: 'weights',
    id: blockIdOf(Buffer.from('lost')),
    bytes: 4,
    path: runs.store.incomingPath('lost'),
  };
  runs.readyWithout(one, lost);
  expect(runs.events).toMatchObject([{ type: 'rounds-failed', task: one }]);
  expect(runs.store.incomingNames()).toEqual([]);
});

test('checkpoints count for as long as they are kept', async () => {
  const { runs } = await Runs.in();
  expect(runs.checkpointBytes).toBe('of a life before'.length);
  runs.ended(one, { ...report, checkpointBytes: 50 });
  runs.failed(one, toWireError(new Error('a late one')), null);
  expect(runs.checkpointBytes).toBe(50 + 16);
  for (const task of [one, other]) runs.giveUp(task);
  expect(runs.checkpointBytes).toBe(0);
});
