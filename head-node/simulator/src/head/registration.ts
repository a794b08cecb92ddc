/** Answers to providers. Mirrors head-node/src/io/registration.ts. */
import type { SessionId } from '@muster/shared';
import type { HeadEvent } from '@muster/head-node/core';
import type { Draw } from '../draw.ts';
import type { HeadLife } from './head-life.ts';

export interface Registered {
  readonly session: SessionId;
  readonly epoch: number;
  readonly heartbeatMs: number;
  readonly keep: readonly number[];
  readonly firstLease: number;
}

export interface Beat {
  readonly seq: number;
  readonly known: boolean;
}

export type Introduction = Omit<HeadEvent & { type: 'registered' }, 'type' | 'session'>;

export class Registration {
  readonly #life: HeadLife;
  readonly #draw: Draw;
  readonly #nonces = new Map<SessionId, string>();

  constructor(life: HeadLife, draw: Draw) {
    this.#life = life;
    this.#draw = draw;
  }

  register(introduction: Introduction): Registered {
    const { epoch, policy } = this.#life;
    const session = this.#draw.hex(32) as SessionId;
    const keep = this.#life.register({ type: 'registered', session, ...introduction });
    return { session, epoch, heartbeatMs: policy.heartbeatMs, keep, firstLease: this.#life.state.nextLease };
  }

  /** True when the session may begin; null: refused. */
  ready(session: SessionId, nonce: string, sharesStore: boolean): true | null {
    if (this.#nonces.get(session) !== nonce) return null;
    this.#nonces.delete(session);
    this.#life.post({ type: 'provider-ready', session, sharesStore });
    return true;
  }

  bye(session: SessionId, handBack: readonly number[]): true {
    this.#life.post({ type: 'bye', session, handBack });
    return true;
  }

  beat(session: SessionId): Beat {
    const known = this.#life.state.sessions.has(session);
    if (known) this.#life.post({ type: 'heartbeat', session, linkBytesPerMs: 0 });
    return { seq: this.#life.publisher.sequenceOf(session), known };
  }

  subscribed(session: SessionId): void {
    if (!this.#life.state.sessions.has(session)) return;
    const nonce = this.#draw.hex(16);
    this.#nonces.set(session, nonce);
    this.#life.publisher.publish(session, { type: 'hello', nonce });
  }

  unsubscribed(session: SessionId): void {
    this.#nonces.delete(session);
    this.#life.post({ type: 'connection-closed', session });
  }
}
