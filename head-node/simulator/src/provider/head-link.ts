/** One session's connections. Mirrors provider-node/src/io/head-link.ts. */
import type { SessionId } from '@muster/shared';
import { ask, type Line } from '../network/ask.ts';
import { Subscription, type Subscriber, type TopicMessage } from '../network/subscription.ts';
import type { FailureMessage, ResultMessage } from '../head/result-intake.ts';
import type { World } from '../world.ts';

const MISSES_MAX = 2;

export interface HeadLinkOptions {
  readonly world: World;
  readonly line: Line;
  readonly session: SessionId;
  readonly owner: string;
  readonly onMessage: (message: TopicMessage) => void;
  readonly onBroken: (reason: string) => void;
}

export class HeadLink implements Subscriber {
  readonly session: SessionId;
  readonly subscription: Subscription;
  readonly #options: HeadLinkOptions;
  readonly #fetches = new Set<() => void>();
  #closed = false;
  #misses = 0;
  #seq = 0;
  #headSeq = 0;

  constructor(options: HeadLinkOptions) {
    this.#options = options;
    this.session = options.session;
    const { line, session, owner } = options;
    this.subscription = new Subscription(line, { session, owner, subscriber: this });
  }

  receive(seq: number, message: TopicMessage): void {
    if (seq !== this.#seq + 1) this.#broken(`messages ${this.#seq + 1} to ${seq - 1} were lost`);
    this.#seq = seq;
    this.#options.onMessage(message);
  }

  disconnected(): void {
    this.#broken('the connection to the head closed');
  }

  pushResult(message: ResultMessage): void {
    this.#push((intake) => intake.result(message));
  }

  pushFailure(message: FailureMessage): void {
    this.#push((intake) => intake.failed(message));
  }

  #push(
    deliver: (intake: { result(message: ResultMessage): void; failed(message: FailureMessage): void }) => void,
  ): void {
    if (this.#closed) return;
    const { world, line } = this.#options;
    const copies = world.faults.strikes('duplicate') ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1)
      line.link.send({ to: 'to-head', channel: 'results' }, () => line.head.hear((life) => deliver(life.intake)));
  }

  /** Fetches a lease's blocks; `failed` is also called when the link is closed meanwhile. */
  fetch(
    blocks: readonly string[],
    { fetched, failed }: { readonly fetched: () => void; readonly failed: () => void },
  ): void {
    const { line } = this.#options;
    const settle = (then: () => void) => (): void => {
      if (this.#fetches.delete(broken)) then();
    };
    const broken = (): void => line.process.after(0, failed);
    this.#fetches.add(broken);
    line.link.send({ to: 'to-head', channel: 'clients' }, () =>
      line.head.hear(({ files }) => {
        const there = blocks.every((id) => (files.blocks as ReadonlySet<string>).has(id));
        line.link.send({ to: 'from-head', channel: 'clients' }, () =>
          line.process.hear(settle(there ? fetched : failed)),
        );
      }),
    );
  }

  /** Ends the session when the head does not know it, messages were lost, or two beats were not answered. */
  beat(): void {
    const expected = this.#headSeq;
    ask(this.#options.line, {
      channel: 'heartbeats',
      put: ({ registration }) => registration.beat(this.session),
      answered: (answer) => {
        if (answer === null) return this.#missed();
        this.#misses = 0;
        this.#headSeq = answer.seq;
        if (!answer.known) this.#broken('the head does not know this session');
        else if (this.#seq < expected) this.#broken(`messages ${this.#seq + 1} to ${expected} were lost`);
      },
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.subscription.close();
    for (const broken of this.#fetches) broken();
    this.#fetches.clear();
  }

  #missed(): void {
    this.#misses += 1;
    if (this.#misses >= MISSES_MAX) this.#broken('two heartbeats were not answered');
  }

  #broken(reason: string): void {
    if (!this.#closed) this.#options.onBroken(reason);
  }
}
