import type { AuditSummary, Finding } from '@muster/shared';
import { isSame, type Acceptance } from './acceptances.ts';
import type { AuditProblems } from './audit-problems.ts';
import type { Evidence, Stretch } from './audit-evidence.ts';
import type { StreamedAcceptance, StreamedHistory } from './streamed-records.ts';

/**
 * Compares the event stream with the journal, stretch by stretch in the order of the subtasks. The journal is authoritative. The stream may
 * have
 * - duplicates of a record: it was published again after a lost connection;
 * - a record that the journal lacks, from an epoch that crashed before journalling it: any epoch before the one that wrote the task's end,
 *   which had journalled everything before that end;
 * - fewer records, if the task is still open, ended while the broker was away (its status then says `local`), or did not end as done: such
 *   an end does not wait for the broker;
 * - no end record, if the epoch that wrote it is over: the head may have been killed right after journalling it;
 * - more records, if the task is still open.
 */
export class BrokerWitness {
  readonly #evidence: Evidence;
  readonly #problems: AuditProblems;
  readonly #stream: StreamedHistory | null;
  readonly #mayLack: boolean;
  readonly #goesOn: boolean;
  /** Records of earlier epochs that the journal lacks or contradicts are superseded, not problems. */
  readonly #decidedIn: number;
  #next = 0;
  #missing = 0;
  #repeated = 0;
  #superseded = 0;

  constructor(evidence: Evidence, problems: AuditProblems) {
    const { broker, journal } = evidence;
    this.#evidence = evidence;
    this.#problems = problems;
    this.#stream = 'unread' in broker ? null : broker;
    this.#goesOn = journal.ended === null;
    this.#decidedIn = this.#goesOn ? evidence.epoch : journal.epoch;
    const end = journal.ended?.status;
    this.#mayLack = end === undefined || end.state !== 'done' || end.durability === 'local';
  }

  finding({ acceptance }: Stretch): Finding {
    if (acceptance === null || this.#stream === null) return 'unread';
    for (let event = this.#peek(); event !== null && event.from < acceptance.from; event = this.#peek()) {
      this.#unknown(event);
      this.#next += 1;
    }
    const [same, others] = this.#eventsOf(acceptance);
    this.#repeated += Math.max(0, same - 1);
    const conflicts = others.filter((event) => !this.#isSuperseded(event));
    for (const event of conflicts) this.#problems.otherInBroker(acceptance, event);
    if (conflicts.length > 0) return 'differs';
    return same > 0 ? 'agrees' : this.#lacks(acceptance);
  }

  /** To be called after the last stretch. */
  finish(): void {
    if (this.#stream === null) return;
    for (let event = this.#peek(); event !== null; event = this.#peek()) {
      this.#unknown(event);
      this.#next += 1;
    }
    if (this.#mayLack) return;
    const { journal, epoch } = this.#evidence;
    const state = journal.ended?.status.state;
    const { begun } = this.#stream;
    const ended = this.#stream.ended?.epoch === journal.epoch ? this.#stream.ended.status : null;
    if (!begun) this.#problems.add('the broker has no event of the task being accepted');
    if (ended === null && journal.epoch === epoch)
      this.#problems.add(`the task is ${state}, and the broker has no event of its end`);
    if (ended !== null && ended.state !== state)
      this.#problems.add(`the task is ${state}, and the broker has it as ${ended.state}`);
  }

  told(): AuditSummary['broker'] {
    const { broker } = this.#evidence;
    const reason = 'unread' in broker ? broker.unread : '';
    const counts = { missing: this.#missing, repeated: this.#repeated, superseded: this.#superseded };
    return { read: this.#stream !== null, reason, ...counts };
  }

  #peek(): StreamedAcceptance | null {
    return this.#stream?.acceptances[this.#next] ?? null;
  }

  /** The number of events equal to the journal's record, and the events that state something else about the same subtask. */
  #eventsOf(acceptance: Acceptance): [number, StreamedAcceptance[]] {
    let same = 0;
    const others: StreamedAcceptance[] = [];
    for (let event = this.#peek(); event?.from === acceptance.from; event = this.#peek()) {
      if (isSame(event, acceptance)) same += 1;
      else others.push(event);
      this.#next += 1;
    }
    return [same, others];
  }

  /** An event that matches no stretch of the journal. */
  #unknown(event: StreamedAcceptance): void {
    if (!this.#isSuperseded(event) && !this.#goesOn) this.#problems.onlyInBroker(event);
  }

  #isSuperseded({ epoch }: StreamedAcceptance): boolean {
    const superseded = epoch < this.#decidedIn;
    if (superseded) this.#superseded += 1;
    return superseded;
  }

  #lacks(acceptance: Acceptance): Finding {
    this.#missing += acceptance.to - acceptance.from;
    if (!this.#mayLack) this.#problems.notInBroker(acceptance);
    return 'missing';
  }
}
