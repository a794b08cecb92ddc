import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  bytesOf,
  MusterError,
  toWireError,
  type Clock,
  type RoundStart,
  type TrainedOn,
  type TrainingReport,
  type TrainRound,
  type TrainSpec,
} from '@muster/shared';
import type { FoldAsk, MadeBlock, OpenAsk, ReturnedShard, RunAnswer, RunOutcome, ShardVerdict } from './calls.ts';
import type { Returned } from './audit.ts';
import { RoundBlocks } from './round-blocks.ts';
import { RoundTotals, vectorSum, type ShardTotals, type VectorSum } from './round-sums.ts';
import { readCheckpoint } from './run-checkpoint.ts';
import { RunCheckpoints } from './run-checkpoints.ts';
import { RunSchedule, type RunPosition } from './run-schedule.ts';
import { RunState } from './run-state.ts';
import { ShardCheck, type CheckedShard, type ShardCheckPorts } from './shard-check.ts';
import { checkData, trainedOn } from './trained-on.ts';
import { TrainingProgress } from './training-progress.ts';

export interface RunPorts extends ShardCheckPorts {
  /** The run's own directory. */
  readonly directory: string;
  readonly incomingDirectory: string;
  readonly clock: Clock;
}

export const CHECKPOINT_NAME = 'checkpoint.safetensors';

interface OpenRound {
  readonly number: number;
  readonly ask: TrainRound;
  readonly openedMs: number;
  readonly totals: RoundTotals;
  /** Number of shards that it is cut into; Infinity until the first one comes. */
  shards: number;
  /** Are all of its shards finite? */
  isFinite: boolean;
  /** The longest of its shards. */
  computeMs: number;
  aggregateMs: number;
}

interface FoldedRound {
  readonly round: OpenRound;
  readonly totals: ShardTotals;
  readonly startedMs: number;
  /** Has it been added to the progress? */
  isRecorded: boolean;
}

interface EarlyFold {
  readonly round: number;
  /** Throws what the folding threw. */
  readonly answer: () => RunAnswer | null;
}

/**
 * One training run: rounds one after the other, each made from the results of the one before. It begins at its own newest checkpoint, else
 * at the one it was given, else at the initial weights. Equal shards in equal rounds give weights that are equal to the bit, however often
 * the run was stopped in between.
 */
export class TrainingRun {
  readonly #spec: TrainSpec;
  readonly #data: TrainedOn;
  readonly #clock: Clock;
  readonly #schedule: RunSchedule;
  readonly #checkpoints: RunCheckpoints;
  readonly #blocks: RoundBlocks;
  readonly #check: ShardCheck;
  readonly #state: RunState;
  readonly #progress: TrainingProgress;
  readonly #mean: Float32Array;
  /** Was there a checkpoint of its own when it was opened? */
  readonly #isKnown: boolean;
  /** Made for the number of shards of the latest round. */
  #sums: { readonly shards: number; readonly sum: VectorSum } | null = null;
  /** The array that the latest shard was decoded into, as long as that is not added; a refused shard's is used again. */
  #unused: Float32Array | null = null;
  #position: RunPosition;
  #nextRound: number;
  #round: OpenRound | null = null;
  /** The latest round that was folded. */
  #folded: FoldedRound | null = null;
  /** The answer for a round that was folded before the head asked. */
  #early: EarlyFold | null = null;

  /** Throws as `readCheckpoint`, and CHECKPOINT_MISMATCH for a checkpoint of another optimizer or of other samples. */
  constructor({ task, run: { spec, trainPaths, checkpointPath }, round }: OpenAsk, ports: RunPorts) {
    this.#spec = spec;
    this.#data = trainedOn(spec, trainPaths);
    this.#clock = ports.clock;
    this.#schedule = new RunSchedule(spec);
    this.#checkpoints = new RunCheckpoints(
      join(ports.directory, CHECKPOINT_NAME),
      spec.options.checkpointEveryMs,
      ports.clock,
    );
    this.#blocks = new RoundBlocks(task, ports.incomingDirectory);
    const own = readCheckpoint(this.#checkpoints.path, spec.model);
    const from = own ?? (checkpointPath === null ? null : readCheckpoint(checkpointPath, spec.model));
    checkData(this.#data, from?.checkpoint ?? null);
    const { cursor = 0, epoch = 0 } = from?.checkpoint ?? {};
    this.#position = this.#schedule.placed({ epoch, cursor });
    this.#state = new RunState(spec, from?.checkpoint ?? null);
    this.#progress = new TrainingProgress(spec, from?.progress ?? null);
    this.#mean = new Float32Array(this.#state.weights.length);
    this.#isKnown = own !== null;
    if (own !== null) this.#checkpoints.found(this.#stepNumber, own.bytes);
    this.#check = new ShardCheck(spec, ports);
    this.#nextRound = round;
  }

  /** The first round. */
  open(): RunAnswer {
    if (this.#schedule.roundAt(this.#position) === null) return this.#end();
    const model = this.#blocks.makeModel(this.#nextRound, this.#spec.model);
    return this.#ready([model, this.#makeWeights()], !this.#isKnown);
  }

  /** Rejects with TASK_CANCELLED when the round is over, and BLOCK_MISSING when a file is not there. */
  async check(shard: ReturnedShard): Promise<ShardVerdict> {
    const startedMs = this.#clock.nowMs();
    const round = this.#round;
    if (round === null || round.number !== shard.round) throw isOver(shard);
    if (round.totals.has(shard.index)) return { ok: true, why: '', verifyMs: 0 };
    const into = round.ask.kind === 'evaluate' ? null : this.#array(shard);
    const checked = await this.#check.check(shard, { weights: this.#state.weights, into });
    this.#take(round, shard, checked);
    if (checked.why === '') round.computeMs = Math.max(round.computeMs, shard.computeMs);
    const verifyMs = this.#clock.nowMs() - startedMs;
    round.aggregateMs += verifyMs;
    return { ok: checked.why === '', why: checked.why, verifyMs };
  }

  /**
   * Makes the next round from all shards that passed; null when this one is over already. They include all that the head accepted; those
   * that passed too late for it count as well. Throws DISK_FULL when there is no room for the weights: the step is taken by then, and
   * another call for this round makes what is missing.
   */
  fold({ round: number, accepted }: FoldAsk): RunAnswer | null {
    const early = this.#early?.round === number ? this.#early : null;
    this.#early = null;
    return early === null ? this.#fold(number, accepted) : early.answer();
  }

  /**
   * To be called when the process is idle. A round whose shards are all there is folded before the head has accepted them: it will ask for
   * exactly that, and until then this process would only wait.
   */
  foldEarly(): void {
    const round = this.#round;
    if (round === null || round.totals.count < round.shards) return;
    this.#early = { round: round.number, answer: remembered(() => this.#fold(round.number, [])) };
  }

  #fold(number: number, accepted: readonly number[]): RunAnswer | null {
    const startedMs = this.#clock.nowMs();
    if (this.#round === null && this.#folded?.round.number === number) return this.#goOn(this.#folded);
    const round = this.#round;
    if (round === null || round.number !== number) return null;
    checkAccepted(round, accepted);
    const totals = round.totals.sum();
    if (!round.isFinite) return this.#diverged(`the mean loss is ${totals.loss / totals.samples}`);
    this.#checkpoints.good();
    if (round.ask.kind === 'gradient') this.#step(round.ask);
    this.#position = this.#schedule.after(round.ask);
    this.#round = null;
    this.#folded = { round, totals, startedMs, isRecorded: false };
    return this.#goOn(this.#folded);
  }

  /** Does nothing if weights or optimizer state are not finite: the run is about to fail, and the last good checkpoint stays. */
  checkpoint(): void {
    if (!this.#state.isFinite() || !this.#state.remembersNumbers()) return;
    this.#checkpoints.write(this.#spec.model, {
      checkpoint: this.#state.checkpoint({ ...this.#position, step: this.#stepNumber, data: this.#data }),
      progress: this.#progress.saved(),
    });
  }

  /** Writes a checkpoint if there was progress since the last one. */
  close(): void {
    if (this.#stepNumber > this.#checkpoints.latest.checkpointStep) this.checkpoint();
  }

  get #stepNumber(): number {
    return this.#schedule.stepAt(this.#position);
  }

  #array({ layout: { shards } }: ReturnedShard): Float32Array {
    const { aggregator, trim } = this.#spec.options;
    if (this.#sums?.shards !== shards.length) {
      const robust = aggregator === 'mean' ? null : { aggregator, trim };
      this.#sums = { shards: shards.length, sum: vectorSum(shards.length, this.#mean.length, robust) };
    }
    const array = this.#unused ?? this.#sums.sum.spare();
    this.#unused = array;
    return array;
  }

  #take(
    round: OpenRound,
    { index, layout }: ReturnedShard,
    { why, returned, isFinite, isAudited }: CheckedShard,
  ): void {
    if (isAudited) this.#progress.audited();
    if (why !== '') this.#progress.disputed();
    if (why !== '' || returned === null) return;
    round.totals.add(index, returned);
    round.shards = layout.shards.length;
    round.isFinite &&= isFinite;
    if (round.ask.kind === 'gradient' && isFinite) this.#add(index, returned);
  }

  #add(index: number, { vector, samples }: Returned): void {
    if (this.#spec.options.localSteps > 1) toDeltaSum(vector, samples);
    this.#sums?.sum.add(index, vector, samples);
    this.#unused = null;
  }

  #step({ learningRate }: TrainRound): void {
    this.#sums?.sum.mean(this.#mean);
    this.#state.step(this.#mean, learningRate);
  }

  #makeWeights(): MadeBlock {
    return this.#blocks.makeWeights(this.#nextRound, this.#state.weights);
  }

  #record({ ask, openedMs, computeMs, aggregateMs }: OpenRound, totals: ShardTotals, foldedAtMs: number): void {
    if (ask.kind === 'evaluate') return this.#progress.evaluated(totals);
    const nowMs = this.#clock.nowMs();
    const times = {
      steps: this.#schedule.stepsIn(ask),
      roundMs: nowMs - openedMs,
      computeMs,
      aggregateMs: aggregateMs + nowMs - foldedAtMs,
    };
    this.#progress.stepped(totals, ask.learningRate, times);
  }

  #goOn(folded: FoldedRound): RunAnswer {
    const { round, totals, startedMs } = folded;
    const made = round.ask.kind === 'gradient' ? [this.#makeWeights()] : [];
    if (!folded.isRecorded) this.#record(round, totals, startedMs);
    folded.isRecorded = true;
    return this.#after(round.ask, made);
  }

  #after({ epoch }: TrainRound, made: readonly MadeBlock[]): RunAnswer {
    if (this.#schedule.roundAt(this.#position) === null) return this.#end();
    return this.#ready(made, this.#checkpoints.isDue(this.#position.epoch > epoch));
  }

  #ready(blocks: readonly MadeBlock[], checkpointDue: boolean): RunAnswer {
    const scheduled = this.#schedule.roundAt(this.#position);
    if (scheduled === null) throw new MusterError('BUG', 'a run that is over has no next round');
    const taken = this.#check.beginRound();
    const ask: TrainRound = taken === null ? scheduled : { ...scheduled, taken };
    const start: RoundStart = { round: this.#nextRound, blocks: this.#blocks.all, ask };
    this.#round = {
      number: this.#nextRound,
      ask,
      openedMs: this.#clock.nowMs(),
      totals: new RoundTotals(),
      shards: Infinity,
      isFinite: true,
      computeMs: 0,
      aggregateMs: 0,
    };
    this.#nextRound += 1;
    return { outcome: { type: 'ready', start, blocks, report: this.#report('') }, checkpointDue };
  }

  #end(): RunAnswer {
    this.#round = null;
    if (!this.#state.isFinite()) return this.#diverged('some weights are no numbers');
    this.checkpoint();
    // The run is over, so that it cannot go back to an earlier one.
    this.#checkpoints.good();
    const sha256 = createHash('sha256').update(bytesOf(this.#state.weights)).digest('hex');
    return settled({ type: 'ended', report: this.#report(sha256) });
  }

  #diverged(seen: string): RunAnswer {
    this.#round = null;
    this.#checkpoints.goBack(this.#spec.model);
    const { learningRate, clipNorm } = this.#spec.options;
    const { checkpointStep } = this.#checkpoints.latest;
    const error = new MusterError('DIVERGED', `the training diverged at step ${this.#stepNumber}`, {
      why: `${seen}; the checkpoint of step ${checkpointStep} is kept: ${this.#checkpoints.path}`,
      fix: `--lr ${learningRate / 10} or --clip-norm ${clipNorm > 0 ? clipNorm / 10 : 1}`,
    });
    return settled({ type: 'failed', error: toWireError(error), report: this.#report('') });
  }

  #report(weightsSha256: string): TrainingReport {
    return {
      step: this.#stepNumber,
      steps: this.#schedule.steps,
      epoch: this.#position.epoch,
      epochs: this.#spec.options.epochs,
      ...this.#progress.report(),
      late: 0,
      ...this.#checkpoints.latest,
      weightsSha256,
    };
  }
}

/** Calls `make` once, at once; returns or throws its outcome as often as it is asked. */
function remembered<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

const settled = (outcome: RunOutcome): RunAnswer => ({ outcome, checkpointDue: false });

/** Nodes send the weights at the start less those at the end; what is summed is the change of the weights times the samples. In place. */
function toDeltaSum(vector: Float32Array, samples: number): void {
  for (let i = 0; i < vector.length; i += 1) vector[i]! *= -samples;
}

function checkAccepted({ totals }: OpenRound, accepted: readonly number[]): void {
  const unknown = accepted.filter((index) => !totals.has(index));
  if (unknown.length === 0) return;
  throw new MusterError('BUG', 'shards were accepted that did not pass their check', {
    why: `shards ${unknown.join(', ')}`,
  });
}

const isOver = ({ task, round }: ReturnedShard): MusterError =>
  new MusterError('TASK_CANCELLED', 'a check was given up', { why: `round ${round} of task ${task} is over` });
