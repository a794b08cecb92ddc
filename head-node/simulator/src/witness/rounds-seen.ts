/** Rounds of training runs as seen from outside: what they start from, and what they are made of. */
import {
  WEIGHTS_OPERAND,
  type BlockId,
  type RoundStart,
  type TaskId,
  type TaskStatus,
  type TrainRound,
  type TrainSpec,
  type TrainWork,
} from '@muster/shared';
import type { CheckOrder, HeadEffect, HeadEvent, LeaseOrder } from '@muster/head-node/core';
import { leaseName } from '../describe.ts';
import { must } from './violation.ts';

interface SeenRound {
  readonly start: RoundStart;
  readonly weights: BlockId | undefined;
  /** Indices of the shards that were found right. */
  readonly right: Set<number>;
}

interface Checked {
  readonly task: TaskId;
  readonly round: number;
  readonly indices: readonly number[];
}

export class RoundsSeen {
  /** The latest round of each task in this life of the head. */
  readonly #rounds = new Map<TaskId, SeenRound>();
  /** Weights with which each lease was given out. */
  readonly #weights = new Map<number, BlockId>();
  readonly #checked = new Map<number, Checked>();
  /** Step of the latest round that was folded, in any life. */
  readonly #steps = new Map<TaskId, number>();

  headStarts(): void {
    this.#rounds.clear();
    this.#checked.clear();
  }

  opens(task: TaskId, start: RoundStart): void {
    const before = this.#rounds.get(task)?.start.round ?? 0;
    must(start.round > before, `round ${start.round} of task ${task} comes after round ${before}`);
    const weights = start.blocks.find(({ operand }) => operand === WEIGHTS_OPERAND)?.id;
    this.#rounds.set(task, { start, weights, right: new Set() });
  }

  given({ lease, task, taskType, work }: LeaseOrder): void {
    if (taskType !== 'train') return;
    const { weights } = work as TrainWork;
    must(weights === this.#rounds.get(task)?.weights, `lease ${leaseName(lease)} begins from the weights of its round`);
    this.#weights.set(lease, weights);
  }

  checks({ lease, task, taskType, round, indices }: CheckOrder): void {
    if (taskType !== 'train') return;
    must(
      this.#weights.get(lease) === this.#rounds.get(task)?.weights,
      `the gradient of lease ${leaseName(lease)} is of the weights that it is added for`,
    );
    this.#checked.set(lease, { task, round, indices });
  }

  verdict({ lease, ok }: HeadEvent & { type: 'checked' }): void {
    const checked = this.#checked.get(lease);
    const seen = checked === undefined ? undefined : this.#rounds.get(checked.task);
    if (checked === undefined || seen?.start.round !== checked.round || !ok) return;
    for (const index of checked.indices) seen.right.add(index);
  }

  folds({ task, round, accepted }: HeadEffect & { type: 'fold' }, { options }: TrainSpec): void {
    const seen = this.#rounds.get(task);
    must(seen?.start.round === round, `round ${round} of task ${task} is folded when it is the latest`);
    for (const index of accepted) must(seen.right.has(index), `shard ${index} of round ${round} was found right`);
    must(accepted.length > 0, `round ${round} of task ${task} is folded of something`);
    const { kind, step } = seen.start.ask as TrainRound;
    must(!options.deterministic || kind !== 'gradient' || accepted.length > 1, 'a deterministic step misses no shard');
    this.#steps.set(task, step);
  }

  /** No step may be left out. */
  ended({ taskId, state, training }: TaskStatus): void {
    if (state !== 'done' || training === null) return;
    must(training.step === training.steps, `run ${taskId} is done after ${training.step} of ${training.steps} steps`);
    const last = this.#steps.get(taskId as TaskId) ?? training.steps;
    must(last >= training.steps - 1, `the last round of run ${taskId} was of step ${last}`);
  }
}
