import type { ProviderId, RoundRules, RoundStart, TrainingReport } from '@muster/shared';

/**
 * preparing  the trainer opens the run; there is no round yet
 * waiting    a round could be opened, but no node is ready
 * running    its subtasks are worked on
 * folding    the trainer makes the next round from its results
 * over       there is no next round
 */
export type RoundPhase = 'preparing' | 'waiting' | 'running' | 'folding' | 'over';

/** The progress of a task that works in rounds. */
export interface Rounds {
  readonly rules: RoundRules<unknown>;
  phase: RoundPhase;
  /** The latest round, null before the first. */
  start: RoundStart | null;
  openedAtMs: number;
  /** Time from the opening of the round until its quorum was accepted; null before that. */
  quorumAfterMs: number | null;
  /** GFLOP/s that nodes reach in this task, as a moving average. */
  readonly speeds: Map<ProviderId, number>;
  /** Subtasks that came too late for their round, or not at all. */
  late: number;
  /** As of the latest round. */
  report: TrainingReport | null;
}

export const newRounds = (rules: RoundRules<unknown>): Rounds => ({
  rules,
  phase: 'preparing',
  start: null,
  openedAtMs: 0,
  quorumAfterMs: null,
  speeds: new Map(),
  late: 0,
  report: null,
});
