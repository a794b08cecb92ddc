/** Calls of the trainer process. */
import type { ProviderId, RoundStart, TaskId, TrainingReport, TrainLayout, TrainSpec, WireError } from '@muster/shared';

export interface OpenRun {
  readonly spec: TrainSpec;
  /** The files of the blocks of both sets, by block number. */
  readonly trainPaths: readonly string[];
  readonly testPaths: readonly string[];
  /** A checkpoint to begin from where the run has none of its own yet. */
  readonly checkpointPath: string | null;
}

/** A file that a node returned as the result of shard `index` of a round. */
export interface ReturnedShard {
  readonly task: TaskId;
  readonly round: number;
  readonly index: number;
  readonly node: ProviderId;
  readonly path: string;
  /** Compute time, as the node reports it. */
  readonly computeMs: number;
  /** As the round was cut. */
  readonly layout: TrainLayout;
}

export interface ShardVerdict {
  readonly ok: boolean;
  /** '' when `ok`. */
  readonly why: string;
  readonly verifyMs: number;
}

/** A file in the store's incoming folder, to be renamed to the block's place. */
export interface MadeBlock {
  readonly operand: string;
  readonly id: RoundStart['blocks'][number]['id'];
  readonly bytes: number;
  readonly path: string;
}

export interface ReadyRound {
  readonly type: 'ready';
  readonly start: RoundStart;
  /** Those of `start.blocks` that are new in this round. */
  readonly blocks: readonly MadeBlock[];
  readonly report: TrainingReport;
}

/** The outcome of opening a run, or of folding a round. */
export type RunOutcome =
  | ReadyRound
  | { readonly type: 'ended'; readonly report: TrainingReport }
  | {
      readonly type: 'failed';
      readonly error: WireError;
      /** Null if the run has reported nothing yet. */
      readonly report: TrainingReport | null;
    };

/** `checkpointDue`: a checkpoint is to be written, best while the nodes compute. */
export interface RunAnswer {
  readonly outcome: RunOutcome;
  readonly checkpointDue: boolean;
}

export interface OpenAsk {
  readonly task: TaskId;
  readonly run: OpenRun;
  /** The number of the first round; those after it ascend by one. */
  readonly round: number;
}

export interface FoldAsk {
  readonly task: TaskId;
  readonly round: number;
  readonly accepted: readonly number[];
}

/** A type, not an interface: it must be assignable to a record. */
export type TrainCalls = {
  ready: { ask: null; answer: null };
  open: { ask: OpenAsk; answer: RunAnswer };
  check: { ask: ReturnedShard; answer: ShardVerdict };
  /** Null for a round that is over. */
  fold: { ask: FoldAsk; answer: RunAnswer | null };
  checkpoint: { ask: TaskId; answer: null };
  close: { ask: TaskId; answer: null };
  forget: { ask: TaskId; answer: null };
};
