/** Accepted subtasks as journal records state them, in a form that can be compared. */
import type { ProviderId } from '@muster/shared';
import type { SubtaskRecord, SubtasksRecord } from './journal-record.ts';

/** Subtasks [from, to) accepted from one node: a single one with a stored result, or a range without stored bytes. */
export interface Acceptance {
  readonly from: number;
  readonly to: number;
  readonly provider: ProviderId;
  /** 0 for ranges: their records do not state it. */
  readonly attempt: number;
  readonly bytes: number;
  /** '' where no bytes are stored. */
  readonly digest: string;
}

export function acceptancesOf(record: SubtaskRecord | SubtasksRecord): Acceptance[] {
  const { provider } = record;
  if (record.type === 'subtask') {
    const { index, attempt, bytes, digest } = record;
    return [{ from: index, to: index + 1, provider, attempt, bytes, digest }];
  }
  const acceptances: Acceptance[] = [];
  for (let at = 0; at + 1 < record.ranges.length; at += 2) {
    const [from, to] = [record.ranges[at] ?? 0, record.ranges[at + 1] ?? 0];
    acceptances.push({ from, to, provider, attempt: 0, bytes: 0, digest: '' });
  }
  return acceptances;
}

export const byIndex = (a: Acceptance, b: Acceptance): number => a.from - b.from || a.to - b.to;

export const isSame = (a: Acceptance, b: Acceptance): boolean =>
  a.from === b.from &&
  a.to === b.to &&
  a.provider === b.provider &&
  a.attempt === b.attempt &&
  a.bytes === b.bytes &&
  a.digest === b.digest;
