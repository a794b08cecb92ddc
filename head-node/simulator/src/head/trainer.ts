/**
 * The trainer of one life of the head; its model is a mere number of steps. Its checkpoints are files, so the next life continues from
 * the latest. Mirrors head-node/src/train and head-node/src/io/training-runs.ts.
 */
import {
  blockIdOf,
  MODEL_OPERAND,
  WEIGHTS_OPERAND,
  type RoundStart,
  type TaskId,
  type TrainingReport,
  type TrainRound,
  type TrainSpec,
} from '@muster/shared';
import { trainingReport } from '@muster/shared/testkit';
import type { HeadEffect } from '@muster/head-node/core';
import type { Draw } from '../draw.ts';
import type { World } from '../world.ts';
import type { HeadLife } from './head-life.ts';

const STEP_MS = { least: 0.5, most: 20 };
const OPEN_MS = { least: 5, most: 200 };
const CHECKPOINT_CHANCE = 0.3;

interface Run {
  readonly spec: TrainSpec;
  /** Steps done. */
  step: number;
  round: number;
  /** Whether the latest epoch has been evaluated. */
  evaluated: boolean;
}

export class Trainer {
  readonly #world: World;
  readonly #life: HeadLife;
  readonly #draw: Draw;
  readonly #runs = new Map<TaskId, Run>();

  constructor(world: World, life: HeadLife, draw: Draw) {
    this.#world = world;
    this.#life = life;
    this.#draw = draw;
  }

  open({ task, spec }: HeadEffect & { type: 'operands-complete' }): void {
    if (this.#runs.has(task)) return;
    const step = this.#life.files.checkpointOf(task);
    this.#runs.set(task, { spec: spec as TrainSpec, step, round: 0, evaluated: true });
    this.#after(OPEN_MS, task);
  }

  fold({ task, round }: HeadEffect & { type: 'fold' }): void {
    const run = this.#runs.get(task);
    if (run === undefined || run.round !== round) return;
    if (this.#world.faults.strikes('trainer-crash')) return this.#restart();
    if (run.evaluated) this.#stepOf(task, run);
    else run.evaluated = true;
    this.#after(STEP_MS, task);
  }

  close(task: TaskId): void {
    this.#runs.delete(task);
  }

  /** The trainer's process dies, and another starts from the latest checkpoint. */
  #restart(): void {
    for (const [task, run] of this.#runs) {
      Object.assign(run, { step: this.#life.files.checkpointOf(task), evaluated: true });
      this.#after(OPEN_MS, task);
    }
  }

  #stepOf(task: TaskId, run: Run): void {
    run.step += 1;
    run.evaluated = run.step % stepsOf(run.spec) !== 0;
    if (this.#draw.chance(CHECKPOINT_CHANCE)) this.#life.files.checkpoint(task, run.step);
  }

  #after({ least, most }: typeof STEP_MS, task: TaskId): void {
    const run = this.#runs.get(task);
    if (run === undefined) return;
    run.round += 1;
    const { round } = run;
    this.#life.process.after(this.#draw.between(least, most), () => {
      if (this.#runs.get(task)?.round === round) this.#tell(task, run);
    });
  }

  #tell(task: TaskId, run: Run): void {
    const report = reportOf(run);
    if (run.evaluated && run.step >= report.steps) {
      this.#life.files.checkpoint(task, run.step);
      return this.#life.post({ type: 'rounds-ended', task, report });
    }
    const start = startOf(task, run);
    for (const { id } of start.blocks) this.#life.files.blocks.add(id);
    this.#world.witness.opens(task, start);
    this.#life.post({ type: 'round-ready', task, start, report });
  }
}

const stepsOf = ({ trainSamples, options }: TrainSpec): number => Math.ceil(trainSamples / options.batch);

function startOf(task: TaskId, { round, step, spec, evaluated }: Run): RoundStart {
  const block = (operand: string, name: string): RoundStart['blocks'][number] => ({
    operand,
    id: blockIdOf(Buffer.from(`${task} ${name}`)),
    bytes: 100,
  });
  return {
    round,
    blocks: [block(MODEL_OPERAND, 'model'), block(WEIGHTS_OPERAND, `weights of step ${step}`)],
    ask: evaluated ? gradientAt(step, spec) : evaluationAt(step, spec),
  };
}

function gradientAt(step: number, spec: TrainSpec): TrainRound {
  const { batch } = spec.options;
  const within = step % stepsOf(spec);
  const [from, to] = [within * batch, Math.min(spec.trainSamples, (within + 1) * batch)];
  return { kind: 'gradient', step, epoch: Math.floor(step / stepsOf(spec)), from, to, learningRate: 0.1 };
}

function evaluationAt(step: number, spec: TrainSpec): TrainRound {
  const epoch = Math.max(0, Math.floor(step / stepsOf(spec)) - 1);
  return { kind: 'evaluate', step, epoch, from: 0, to: spec.testSamples, learningRate: 0 };
}

function reportOf({ step, spec }: Run): TrainingReport {
  const { epochs } = spec.options;
  const [steps, epoch] = [stepsOf(spec) * epochs, Math.floor(step / stepsOf(spec))];
  return trainingReport({ step, steps, epoch, epochs, checkpointStep: step });
}
