/** Registers, serves a session until it breaks, and registers again. Mirrors provider-node/src/session-loop.ts. */
import type { HeldLease } from '@muster/shared';
import { offer } from '@muster/provider-node/core';
import type { Registered } from '../head/registration.ts';
import { ask } from '../network/ask.ts';
import type { TopicMessage } from '../network/subscription.ts';
import { HeadLink } from './head-link.ts';
import type { ProviderLife } from './provider-life.ts';

const CREDIT = 16;
const HELLO_MS = 5000;
const RETRY_MS = 300;

type Welcome = Registered & { readonly refused: readonly number[] };

export class Membership {
  readonly #life: ProviderLife;
  #link: HeadLink | null = null;
  #leaving = false;

  constructor(life: ProviderLife) {
    this.#life = life;
  }

  get link(): HeadLink | null {
    return this.#link;
  }

  join(): void {
    const { state, traits, line } = this.#life;
    const { id: provider, name } = traits;
    const held = offer(state);
    ask(line, {
      channel: 'registration',
      put: ({ registration }) =>
        registration.register({
          provider,
          name,
          platform: 'simulated',
          device: this.#life.device,
          credit: CREDIT,
          held,
        }),
      answered: (answer) => (answer === null || this.#leaving ? this.#retry() : this.#attach(answer, held)),
    });
  }

  /** Hands unfinished leases back; calls `gone` when the head has answered, or does not answer. */
  leave(gone: () => void): void {
    this.#leaving = true;
    const { state, line } = this.#life;
    const unfinished = [...state.held.values()].filter(({ phase }) => phase !== 'returned');
    const handBack = unfinished.map(({ lease }) => lease);
    this.#life.post({ type: 'stop' });
    const { session } = state;
    if (this.#link === null || session === null) return gone();
    ask(line, {
      channel: 'registration',
      put: ({ registration }) => registration.bye(session, handBack),
      answered: gone,
    });
  }

  #retry(): void {
    if (this.#leaving) return;
    this.#life.process.after(RETRY_MS, () => this.join());
  }

  #attach(registered: Registered, held: readonly HeldLease[]): void {
    const refused = held.map(({ lease }) => lease).filter((lease) => !registered.keep.includes(lease));
    const { world, line, traits } = this.#life;
    const link: HeadLink = new HeadLink({
      world,
      line,
      session: registered.session,
      owner: traits.name,
      onMessage: (message) => this.#receive(link, message, { ...registered, refused }),
      onBroken: (reason) => this.#end(link, reason),
    });
    this.#link = link;
    this.#life.attach();
    this.#life.process.after(HELLO_MS, () => {
      if (this.#life.state.session !== link.session) this.#end(link, 'the head did not greet us');
    });
  }

  #receive(link: HeadLink, message: TopicMessage, welcome: Welcome): void {
    if (message.type === 'hello') this.#greeted(link, message.nonce, welcome);
    else this.#life.receive(message);
  }

  #greeted(link: HeadLink, nonce: string, { heartbeatMs, ...welcome }: Welcome): void {
    const { session } = welcome;
    const { traits, line, process } = this.#life;
    const { sharesStore } = traits;
    // Before `ready`: the first lease may overtake its answer.
    this.#life.post({ type: 'registered', ...welcome, sharesStore, missing: this.#life.missing() });
    ask(line, {
      channel: 'registration',
      put: ({ registration }) => registration.ready(session, nonce, sharesStore),
      answered: (answer) => {
        if (answer === null) this.#end(link, 'the head refused us');
        else process.after(heartbeatMs, () => this.#beat(link, heartbeatMs));
      },
    });
  }

  #beat(link: HeadLink, everyMs: number): void {
    if (this.#link !== link) return;
    link.beat();
    this.#life.process.after(everyMs, () => this.#beat(link, everyMs));
  }

  #end(link: HeadLink, reason: string): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#life.note(`lost the head: ${reason}`);
    link.close();
    this.#life.post({ type: 'disconnected' });
    this.#retry();
  }
}
