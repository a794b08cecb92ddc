/** Totals over many seeds, and the report of a violation. */
import { formatDuration } from '@muster/shared';
import { faultKinds, type FaultKind } from './faults.ts';
import type { Plant } from './plants.ts';
import type { SeedOutcome } from './run-seed.ts';

export interface Asked {
  readonly faults: readonly FaultKind[];
  readonly plant: Plant | null;
}

/** The command that replays the same history. */
export function replayCommand(seed: number, { faults, plant }: Asked): string {
  const some = faults.length === faultKinds.length ? '' : ` --faults ${faults.join(',') || 'none'}`;
  return `npm run sim -- --seed ${seed}${some}${plant === null ? '' : ` --plant ${plant}`}`;
}

/** Null without a violation. */
export function describeViolation({ seed, violation }: SeedOutcome, asked: Asked): string | null {
  if (violation === null) return null;
  const { invariant, atMs, last } = violation;
  return [
    `seed ${seed}, at ${(atMs / 1000).toFixed(4)} s of virtual time: this does not hold:`,
    `  ${invariant}`,
    `the last ${last.length} events:`,
    ...last.map((line) => `  ${line}`),
    `again: ${replayCommand(seed, asked)}`,
    '',
  ].join('\n');
}

export class Summary {
  readonly #faults = new Map<string, number>();
  #seeds = 0;
  #events = 0;
  #virtualMs = 0;
  readonly #tasks = { done: 0, failed: 0, cancelled: 0 };
  violations = 0;

  add({ events, virtualMs, faults, tasks, violation }: SeedOutcome): void {
    this.#seeds += 1;
    this.#events += events;
    this.#virtualMs += virtualMs;
    this.violations += violation === null ? 0 : 1;
    for (const state of ['done', 'failed', 'cancelled'] as const) this.#tasks[state] += tasks[state];
    for (const [kind, count] of Object.entries(faults)) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
  }

  describe(wallMs: number): string {
    const counts = faultKinds.flatMap((kind) => {
      const count = this.#faults.get(kind);
      return count === undefined ? [] : [`${kind} ${count}`];
    });
    const total = [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
    return [
      `tasks: ${this.#tasks.done} done, ${this.#tasks.failed} failed, ${this.#tasks.cancelled} cancelled`,
      `faults: ${counts.join(', ') || 'none'}`,
      `${this.#seeds} seeds, ${this.#events} events, ${(this.#virtualMs / 3_600_000).toFixed(2)} virtual hours, ` +
        `${total} faults, ${this.violations} violations, ${formatDuration(wallMs)}`,
      '',
    ].join('\n');
  }
}
