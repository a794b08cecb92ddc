/** Between the core and the trainer: files of operands go in, blocks of the next round come out. */
import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  toWireError,
  type BlockId,
  type RoundStart,
  type TaskId,
  type TrainingReport,
  type TrainSpec,
  type WireError,
} from '@muster/shared';
import type { BlockStore } from '@muster/shared/io';
import type { HeadEffect } from '../core/effects.ts';
import type { HeadEvent } from '../core/events.ts';
import type { MadeBlock, ReadyRound, Trainer, TrainerListener } from '../train/index.ts';

export interface TrainingRunsPorts {
  readonly trainer: Trainer;
  readonly blocks: BlockStore;
}

export type RunEvent = HeadEvent & { readonly type: 'round-ready' | 'rounds-ended' | 'rounds-failed' };

/** Rounds whose weights are kept: a node whose lease was revoked late may still read those of the round before. */
const ROUNDS_KEPT = 2;

export class TrainingRuns implements TrainerListener {
  readonly #ports: TrainingRunsPorts;
  /** Blocks of the latest rounds, the newest last; each is pinned as often as it is here. Runs of one model and seed share some. */
  readonly #made = new Map<TaskId, BlockId[]>();

  /** Checkpoint bytes by task: of the file at the start, then of the latest report. */
  readonly #checkpoints = new Map<TaskId, number>();
  #post: (event: RunEvent) => void = () => undefined;

  constructor(ports: TrainingRunsPorts) {
    this.#ports = ports;
    ports.trainer.listen(this);
    for (const task of ports.trainer.tasks()) {
      const file = statSync(ports.trainer.checkpointPath(task), { throwIfNoEntry: false });
      if (file !== undefined) this.#checkpoints.set(task, file.size);
    }
  }

  /** Bytes of all checkpoints that are kept. */
  get checkpointBytes(): number {
    return [...this.#checkpoints.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Sets where rounds and ends of runs are posted. */
  tell(post: (event: RunEvent) => void): void {
    this.#post = post;
  }

  open({ task, spec, operands }: HeadEffect & { type: 'operands-complete' }): void {
    const paths = (name: string): string[] => (operands.get(name) ?? []).map((id) => this.#ports.blocks.pathOf(id));
    const [checkpointPath = null] = paths('checkpoint');
    this.#ports.trainer.open(task, {
      spec: spec as TrainSpec,
      trainPaths: paths('train'),
      testPaths: paths('test'),
      checkpointPath,
    });
  }

  fold({ task, round, accepted }: HeadEffect & { type: 'fold' }): void {
    this.#ports.trainer.fold(task, round, accepted);
  }

  /** If the store cannot take the blocks, the run fails. */
  ready(task: TaskId, { start, blocks, report }: ReadyRound): void {
    try {
      for (const block of blocks) this.#adopt(task, block);
    } catch (error) {
      for (const { path } of blocks) rmSync(path, { force: true });
      this.close(task);
      return this.failed(task, toWireError(error), report);
    }
    this.#checkpoints.set(task, report.checkpointBytes);
    this.#post({ type: 'round-ready', task, start, report });
    this.#letGo(task, start);
  }

  ended(task: TaskId, report: TrainingReport): void {
    this.#checkpoints.set(task, report.checkpointBytes);
    this.#post({ type: 'rounds-ended', task, report });
  }

  failed(task: TaskId, error: WireError, report: TrainingReport | null): void {
    if (report !== null) this.#checkpoints.set(task, report.checkpointBytes);
    this.#post({ type: 'rounds-failed', task, error, report });
  }

  close(task: TaskId): void {
    this.#ports.trainer.close(task);
    for (const id of this.#made.get(task) ?? []) this.#release(id);
    this.#made.delete(task);
  }

  /** The checkpoint no longer counts; its file stays until `forget`. */
  giveUp(task: TaskId): void {
    this.#checkpoints.delete(task);
  }

  forget(task: TaskId): void {
    this.giveUp(task);
    this.#ports.trainer.forget(task);
  }

  #adopt(task: TaskId, { id, bytes, path }: MadeBlock): void {
    const { blocks } = this.#ports;
    renameSync(path, blocks.pathOf(id));
    blocks.adopt(id, bytes);
    blocks.pin(id);
    this.#made.set(task, [...(this.#made.get(task) ?? []), id]);
  }

  /** Releases all blocks but those that the latest rounds begin from. */
  #letGo(task: TaskId, { blocks }: RoundStart): void {
    const made = this.#made.get(task) ?? [];
    const needed = new Set(blocks.map(({ id }) => id));
    const old = made.filter((id) => !needed.has(id));
    const gone = Math.max(0, old.length - ROUNDS_KEPT + 1);
    this.#made.set(task, [...old.slice(gone), ...made.filter((id) => needed.has(id))]);
    for (const id of old.slice(0, gone)) this.#release(id);
  }

  #release(id: BlockId): void {
    this.#ports.blocks.unpin(id);
    this.#ports.blocks.recycle(id);
  }
}

export const trainingDirectory = (stateDirectory: string): string => join(stateDirectory, 'training');
