import type { AuditSummary, ProviderId } from '@muster/shared';
import type { Acceptance } from './acceptances.ts';
import type { FoundFile } from './audit-evidence.ts';

/** Limit of `problems` in a message; `problemCount` counts all of them. */
const TOLD_MAX = 100;

/** Collects what is wrong with a task, as text that names the subtasks, the problem and the record it was found in. */
export class AuditProblems {
  readonly #nameOf: (node: ProviderId) => string;
  readonly #texts: string[] = [];
  #count = 0;

  constructor(nameOf: (node: ProviderId) => string) {
    this.#nameOf = nameOf;
  }

  add(text: string): void {
    this.#count += 1;
    if (this.#texts.length < TOLD_MAX) this.#texts.push(text);
  }

  acceptedTwice(first: Acceptance, second: Acceptance): void {
    this.add(
      `${subtasksText(second)}: accepted twice in the journal, from ${this.#of(first)} and from ${this.#of(second)}`,
    );
  }

  beyondPlan(acceptance: Acceptance, subtasks: number): void {
    this.add(`${subtasksText(acceptance)}: accepted from ${this.#of(acceptance)}, and the plan has only ${subtasks}`);
  }

  notInBroker(acceptance: Acceptance): void {
    this.add(`${subtasksText(acceptance)}: accepted from ${this.#of(acceptance)}, and the broker has no event of it`);
  }

  otherInBroker(acceptance: Acceptance, event: Acceptance): void {
    this.add(`${subtasksText(acceptance)}: the journal has ${this.#of(acceptance)}, the broker has ${this.#of(event)}`);
  }

  onlyInBroker(event: Acceptance): void {
    this.add(`${subtasksText(event)}: the broker has it as accepted from ${this.#of(event)}, the journal has not`);
  }

  badFile(acceptance: Acceptance, found: FoundFile | null): void {
    const seen = found === null ? 'its result file is gone' : `its result file has ${contentText(found)}`;
    this.add(`${subtasksText(acceptance)}: ${seen}, and the journal has ${this.#of(acceptance)}`);
  }

  told(): Pick<AuditSummary, 'problems' | 'problemCount'> {
    return { problems: [...this.#texts], problemCount: this.#count };
  }

  #of(acceptance: Acceptance): string {
    const { provider, attempt, digest } = acceptance;
    const lease = attempt > 0 ? ` attempt ${attempt}` : '';
    return `${this.#nameOf(provider)}${lease}${digest === '' ? '' : ` with ${contentText(acceptance)}`}`;
  }
}

const contentText = ({ bytes, digest }: FoundFile): string => `${bytes} bytes ${digest}`;

export const subtasksText = ({ from, to }: Pick<Acceptance, 'from' | 'to'>): string =>
  to === from + 1 ? `subtask ${from}` : `subtasks ${from} to ${to - 1}`;
