import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError, MusterError, type Clock, type Random, type TaskId } from '@muster/shared';
import { AuditPlan } from './audit.ts';
import type { FoldAsk, OpenAsk, OpenRun, ReturnedShard, RunAnswer, ShardVerdict } from './calls.ts';
import type { Recompute } from './recomputation.ts';
import { ShardFile } from './shard-file.ts';
import { TrainingRun } from './training-run.ts';

export interface OpenRunsPorts {
  /** With a folder for each run. */
  readonly directory: string;
  readonly incomingDirectory: string;
  readonly clock: Clock;
  /** Nodes must not be able to predict it. */
  readonly random: Random;
  readonly recomputation: (run: OpenRun) => Recompute;
  readonly auditShare?: number;
}

/** The runs that are open in this process. */
export class OpenRuns {
  readonly #ports: OpenRunsPorts;
  readonly #shardFile = new ShardFile();
  readonly #runs = new Map<TaskId, TrainingRun>();

  constructor(ports: OpenRunsPorts) {
    this.#ports = ports;
  }

  /** Throws as the constructor of TrainingRun. */
  open(ask: OpenAsk): RunAnswer {
    const { incomingDirectory, clock, random, auditShare, recomputation } = this.#ports;
    const directory = join(this.#ports.directory, ask.task);
    makeClean(directory);
    const audits = new AuditPlan(random, auditShare);
    const run = new TrainingRun(ask, {
      directory,
      incomingDirectory,
      clock,
      audits,
      recompute: recomputation(ask.run),
      shardFile: this.#shardFile,
    });
    this.#runs.set(ask.task, run);
    return this.#settle(ask.task, () => run.open());
  }

  async check(shard: ReturnedShard): Promise<ShardVerdict> {
    const run = this.#runs.get(shard.task);
    if (run !== undefined) return run.check(shard);
    throw new MusterError('TASK_CANCELLED', 'a check was given up', { why: `run ${shard.task} is not open` });
  }

  /** After DISK_FULL it may be asked for again. */
  fold(ask: FoldAsk): RunAnswer | null {
    const run = this.#runs.get(ask.task);
    return run === undefined ? null : this.#settle(ask.task, () => run.fold(ask));
  }

  /** Does nothing for a run that is not open. */
  foldEarly(task: TaskId): void {
    this.#runs.get(task)?.foldEarly();
  }

  /** Does nothing for a run that is not open. */
  checkpoint(task: TaskId): void {
    this.#runs.get(task)?.checkpoint();
  }

  /** Closes the run, with a checkpoint of its progress since the last one. */
  close(task: TaskId): void {
    const run = this.#runs.get(task);
    this.#runs.delete(task);
    run?.close();
  }

  forget(task: TaskId): void {
    this.#runs.delete(task);
    rmSync(join(this.#ports.directory, task), { recursive: true, force: true });
  }

  /** Drops a run that has ended or failed; one that failed with DISK_FULL stays open. */
  #settle<T extends RunAnswer | null>(task: TaskId, answer: () => T): T {
    try {
      const settled = answer();
      if (settled !== null && settled.outcome.type !== 'ready') this.#runs.delete(task);
      return settled;
    } catch (error) {
      if (!isMusterError(error) || error.code !== 'DISK_FULL') this.#runs.delete(task);
      throw error;
    }
  }
}

/** Removes the temporary files of a process that died while writing. */
function makeClean(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(directory)) if (name.endsWith('.tmp')) rmSync(join(directory, name), { force: true });
}
