/** Results as they arrive. Mirrors head-node/src/io/result-collector.ts, but the chunks of a result arrive together with it. */
import type { SessionId, TaskId, WireError } from '@muster/shared';
import type { HeadLife } from './head-life.ts';

export interface ResultMessage {
  readonly session: SessionId;
  readonly task: TaskId;
  readonly lease: number;
  /** Subtasks for which it was really computed. */
  readonly ranges: readonly number[];
  readonly bytes: number;
  readonly computeMs: number;
  readonly fetchMs: number;
  readonly correct: boolean;
  /** inline: in the message; wire: in chunks before it; path: in the head's store. */
  readonly by: 'inline' | 'wire' | 'path';
}

export interface FailureMessage {
  readonly session: SessionId;
  readonly task: TaskId;
  readonly lease: number;
  readonly error: WireError;
}

export class ResultIntake {
  readonly #life: HeadLife;

  constructor(life: HeadLife) {
    this.#life = life;
  }

  result(message: ResultMessage): void {
    if (message.by === 'wire') this.#write(message);
    if (message.by === 'inline' || this.#isThere(message)) this.#life.returned(message);
    else this.#missing(message);
  }

  failed({ session, task, lease, error }: FailureMessage): void {
    this.#life.post({ type: 'failed', session, task, lease, error });
  }

  #missing({ session, task, lease }: ResultMessage): void {
    this.#life.post({ type: 'bytes-missing', session, task, lease });
  }

  #isThere({ task, lease, bytes }: ResultMessage): boolean {
    return this.#life.files.incoming(task, lease)?.bytes === bytes;
  }

  /** Writes only for the provider that holds the lease, if there is room, and not while the verifier reads. */
  #write({ session, task, lease, bytes, correct }: ResultMessage): void {
    const { state, files, journal } = this.#life;
    if (!journal.hasRoom) return;
    const held = state.leases.get(lease);
    if (held === undefined || held.phase === 'checking' || state.sessions.get(session) !== held.provider) return;
    files.receive(task, lease, { bytes, correct });
  }
}
