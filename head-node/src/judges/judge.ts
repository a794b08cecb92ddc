import type { TaskId } from '@muster/shared';
import type { CheckOrder, HeadEffect } from '../core/effects.ts';

export interface Verdict {
  readonly ok: boolean;
  /** What is wrong, with figures; '' when nothing is. */
  readonly why: string;
  readonly verifyMs: number;
  /** BLAKE3 of the result's bytes, as a block id; '' where they are not kept. */
  readonly digest: string;
}

/** Judges the results of one task type. */
export interface Judge {
  /** The operands are in the store, their ids by block number; may come more than once. */
  open(operands: HeadEffect & { type: 'operands-complete' }): void;
  /** `payload`: what came with the result itself. Rejects when it cannot tell. */
  judge(order: CheckOrder, payload: Uint8Array | null): Verdict | Promise<Verdict>;
  close(task: TaskId): void;
}

export const nothingToOpen = { open: (): void => undefined, close: (): void => undefined };
