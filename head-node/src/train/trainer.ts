import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isTaskId,
  MusterError,
  toWireError,
  type Logger,
  type TaskId,
  type TrainingReport,
  type WireError,
} from '@muster/shared';
import { startFramedProcess, type FramedProcess } from '@muster/shared/io';
import type { OpenRun, ReadyRound, ReturnedShard, RunAnswer, RunOutcome, ShardVerdict, TrainCalls } from './calls.ts';
import { CHECKPOINT_NAME } from './training-run.ts';

export interface TrainerOptions {
  readonly logger: Logger;
  /** Each run has a folder in it, with its checkpoint. */
  readonly directory: string;
  /** Of the block store, on the same file system. */
  readonly incomingDirectory: string;
  /** The compiled train-main; tests that run from source name it. */
  readonly script?: string;
}

/** Called from the trainer's own promises: must not throw. */
export interface TrainerListener {
  /** A round may begin: these blocks are to be taken over, the rest of `start.blocks` is known from the round before. */
  ready(task: TaskId, round: ReadyRound): void;
  /** The checkpoint holds the final weights. */
  ended(task: TaskId, report: TrainingReport): void;
  /** `report` is null when nothing has come of the run. */
  failed(task: TaskId, error: WireError, report: TrainingReport | null): void;
}

/** Keeps training runs in a process of its own, off the head's event loop. */
export interface Trainer {
  /** To be called once, before anything else. */
  listen(listener: TrainerListener): void;
  /**
   * Begins at the newest checkpoint of the task, else at the one that is given, else anew. `ready` follows, or `ended` when nothing is left
   * to do, or `failed`. Does nothing when the run is open. When the process dies, every open run is opened again from its
   * checkpoint, with a round that is higher than all before.
   */
  open(task: TaskId, run: OpenRun): void;
  /**
   * Resolves with `ok: false` for a shard that is wrong. Rejects when it cannot tell: TASK_CANCELLED when the round is over,
   * BLOCK_MISSING when a file is gone. Never settles when the process dies: the round is void then.
   */
  check(shard: ReturnedShard): Promise<ShardVerdict>;
  /** Makes the next round of these; `ready`, `ended` or `failed` follows. Does nothing for a round that is over. */
  fold(task: TaskId, round: number, accepted: readonly number[]): void;
  /** Nothing more is heard of the run; its checkpoint stays. */
  close(task: TaskId): void;
  /** ... and its checkpoint goes. */
  forget(task: TaskId): void;
  checkpointPath(task: TaskId): string;
  /** Runs that have something on disk. */
  tasks(): TaskId[];
  /** Open runs write a checkpoint first. */
  stop(): Promise<void>;
}

/** A run at whose calls the process died this often in a row has failed. */
const DEATHS_MAX = 3;

export async function startTrainer(options: TrainerOptions): Promise<Trainer> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const trainer = new ChildTrainer(options);
  await trainer.ready();
  return trainer;
}

const compiledMain = (): string => fileURLToPath(new URL('train-main.js', import.meta.url));

interface Run {
  readonly run: OpenRun;
  report: TrainingReport | null;
  /** Calls without an answer. */
  calls: number;
  /** Of the process, at calls of this run, since the last round that was folded. */
  deaths: number;
}

class ChildTrainer implements Trainer {
  readonly #options: TrainerOptions;
  /** Those that are open. */
  readonly #runs = new Map<TaskId, Run>();
  /** The latest round of a task; they ascend even where it is closed and opened again. */
  readonly #rounds = new Map<TaskId, number>();
  #listener: TrainerListener | null = null;
  #process: FramedProcess<TrainCalls>;
  #stopping = false;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#process = this.#start();
  }

  async ready(): Promise<void> {
    await this.#process.call('ready', null);
  }

  listen(listener: TrainerListener): void {
    this.#listener = listener;
  }

  open(task: TaskId, run: OpenRun): void {
    if (this.#runs.has(task)) return;
    const process = this.#living();
    const entry: Run = { run, report: null, calls: 0, deaths: 0 };
    this.#runs.set(task, entry);
    this.#open(process, task, entry);
  }

  async check(shard: ReturnedShard): Promise<ShardVerdict> {
    const entry = this.#runs.get(shard.task);
    if (entry === undefined) throw closed(shard.task);
    return this.#during(entry, (process) => process.call('check', shard));
  }

  fold(task: TaskId, round: number, accepted: readonly number[]): void {
    const entry = this.#runs.get(task);
    if (entry === undefined) return;
    const folded = this.#during(entry, (process) => process.call('fold', { task, round, accepted }));
    this.#follow(task, entry, folded);
  }

  close(task: TaskId): void {
    if (this.#runs.delete(task)) this.#living().call('close', task).catch(this.#ignore);
  }

  forget(task: TaskId): void {
    this.#runs.delete(task);
    this.#rounds.delete(task);
    this.#living()
      .call('forget', task)
      .catch(this.#warn(`the checkpoint of task ${task} was not removed`));
  }

  checkpointPath(task: TaskId): string {
    return join(this.#options.directory, task, CHECKPOINT_NAME);
  }

  tasks(): TaskId[] {
    return readdirSync(this.#options.directory).filter(isTaskId);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#runs.keys()].map((task) => this.#checkpoint(task)));
    await this.#process.stop();
  }

  #open(process: FramedProcess<TrainCalls>, task: TaskId, entry: Run): void {
    const round = (this.#rounds.get(task) ?? 0) + 1;
    const opened = this.#during(entry, () => process.call('open', { task, run: entry.run, round }));
    this.#follow(task, entry, opened);
  }

  /** Never settles when the process dies. */
  async #during<T>(entry: Run, call: (process: FramedProcess<TrainCalls>) => Promise<T>): Promise<T> {
    const process = this.#process;
    entry.calls += 1;
    try {
      const answer = await call(process);
      entry.calls -= 1;
      return answer;
    } catch (error) {
      if (!process.alive) return new Promise<never>(() => undefined);
      entry.calls -= 1;
      throw error;
    }
  }

  #follow(task: TaskId, entry: Run, answer: Promise<RunAnswer | null>): void {
    const isOpen = (): boolean => this.#runs.get(task) === entry;
    answer.then(
      (settled) => {
        if (settled === null) return;
        if (isOpen()) this.#settle(task, entry, settled);
        else removeBlocks(settled.outcome);
      },
      (error: unknown) => {
        if (isOpen()) this.#tell(task, { type: 'failed', error: toWireError(error), report: entry.report });
      },
    );
  }

  #settle(task: TaskId, entry: Run, { outcome, checkpointDue }: RunAnswer): void {
    if (outcome.type === 'ready') {
      const isFolded = entry.report !== null && outcome.report.step > entry.report.step;
      if (isFolded) entry.deaths = 0;
      entry.report = outcome.report;
      this.#rounds.set(task, outcome.start.round);
    }
    this.#tell(task, outcome);
    if (checkpointDue) void this.#checkpoint(task);
  }

  #tell(task: TaskId, outcome: RunOutcome): void {
    if (outcome.type !== 'ready') this.#runs.delete(task);
    switch (outcome.type) {
      case 'ready':
        return this.#listener?.ready(task, outcome);
      case 'ended':
        return this.#listener?.ended(task, outcome.report);
      case 'failed':
        return this.#listener?.failed(task, outcome.error, outcome.report);
    }
  }

  /** Never rejects: without one the run goes on, and the next may succeed. */
  #checkpoint(task: TaskId): Promise<void> {
    const warn = this.#warn(`no checkpoint of task ${task} was written`);
    return this.#process.call('checkpoint', task).then(this.#ignore, warn);
  }

  #living(): FramedProcess<TrainCalls> {
    if (this.#process.alive || this.#stopping) return this.#process;
    const process = this.#start();
    this.#process = process;
    for (const [task, entry] of this.#runs) this.#openAgain(process, task, entry);
    return process;
  }

  #openAgain(process: FramedProcess<TrainCalls>, task: TaskId, entry: Run): void {
    if (entry.calls > 0) entry.deaths += 1;
    entry.calls = 0;
    if (entry.deaths < DEATHS_MAX) return this.#open(process, task, entry);
    const error = new MusterError('COMPUTE_FAILED', `the trainer process died ${DEATHS_MAX} times at one round`, {
      why: `task ${task}, step ${entry.report?.step ?? 0}`,
      fix: 'look at the log of the head node for what it said last, and resume the run',
    });
    this.#tell(task, { type: 'failed', error: toWireError(error), report: entry.report });
  }

  #start(): FramedProcess<TrainCalls> {
    const { logger, directory, incomingDirectory, script = compiledMain() } = this.#options;
    const process = startFramedProcess<TrainCalls>({
      script,
      args: [directory, incomingDirectory],
      title: 'train',
      // ONNX Runtime reports to its maker otherwise, and leaves files in the folder for temporary ones.
      env: { ORT_DISABLE_TELEMETRY: '1' },
      onStderr: (line) => logger.warn({ process: 'train' }, line),
    });
    void process.ended.then((end) => {
      if (this.#stopping) return;
      logger.error({ end }, 'the trainer process ended; it is started again');
      this.#living();
    });
    return process;
  }

  #warn(what: string): (error: unknown) => void {
    return (error) => this.#options.logger.warn({ error: toWireError(error) }, what);
  }

  readonly #ignore = (): void => undefined;
}

/** Of an answer that nobody wants any more. */
function removeBlocks(outcome: RunOutcome): void {
  if (outcome.type === 'ready') for (const { path } of outcome.blocks) rmSync(path, { force: true });
}

const closed = (task: TaskId): MusterError =>
  new MusterError('TASK_CANCELLED', 'a check was given up', { why: `task ${task} has ended` });
