/** A provider's connection to the head's XPUB socket; both sides act upon its end. */
import type { SessionId } from '@muster/shared';
import type { LeaseOrder } from '@muster/head-node/core';
import type { Line } from './ask.ts';

export type TopicMessage =
  | { readonly type: 'hello'; readonly nonce: string }
  | { readonly type: 'lease'; readonly order: LeaseOrder }
  | { readonly type: 'settled' | 'revoke'; readonly leases: readonly number[] };

export interface Subscriber {
  receive(seq: number, message: TopicMessage): void;
  disconnected(): void;
}

/** Interval at which libzmq tries to connect again. */
const RECONNECT_MS = 100;

export class Subscription {
  readonly session: SessionId;
  /** Name of the machine that it comes from. */
  readonly owner: string;
  readonly #line: Line;
  readonly #subscriber: Subscriber;
  #closed = false;

  constructor(
    line: Line,
    { session, owner, subscriber }: Pick<Subscription, 'session' | 'owner'> & { readonly subscriber: Subscriber },
  ) {
    this.#line = line;
    this.session = session;
    this.owner = owner;
    this.#subscriber = subscriber;
    this.#connect();
  }

  #connect(): void {
    const { process, link, head } = this.#line;
    link.send({ to: 'to-head', channel: 'tasks' }, () => {
      if (this.#closed) return;
      if (head.isDown) process.after(RECONNECT_MS, () => this.#connect());
      else head.hear((life) => life.publisher.subscribe(this));
    });
  }

  /** Called for the provider, or for the kernel of its machine when the process is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { link, head } = this.#line;
    link.send({ to: 'to-head', channel: 'tasks' }, () => head.hear((life) => life.publisher.unsubscribe(this)));
  }

  /** Called for the head, or for the kernel of its machine. */
  closeFromHead(): void {
    this.#line.link.send({ to: 'from-head', channel: 'tasks' }, () => this.breakAtProvider());
  }

  breakAtProvider(): void {
    this.#line.process.hear(() => {
      if (!this.#closed) this.#subscriber.disconnected();
    });
  }

  deliver(seq: number, message: TopicMessage): void {
    const { process, link } = this.#line;
    link.send({ to: 'from-head', channel: 'tasks' }, () =>
      process.hear(() => {
        if (!this.#closed) this.#subscriber.receive(seq, message);
      }),
    );
  }
}
