import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ProviderId, TaskId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { Backbone, Delivery, OnSettled, Publication } from '../src/index.ts';
import type { BrokerUnderTest, OpenOptions } from './broker-under-test.ts';

export const TIMEOUT_MS = 60_000;
export const WAIT_MS = 15_000;
export const wait = (what: string, condition: () => unknown): Promise<unknown> =>
  waitUntil(() => Boolean(condition()), { what, timeoutMs: WAIT_MS });

export const hex = (): string => randomBytes(8).toString('hex');
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
export const textOf = ({ frames }: Delivery): string => frames.map(text).join('|');
export const settle = (delivery: Delivery): void => delivery.ack();
export const dead = { from: { to: 'dead' }, prefetch: 10 } as const;
export const toNobody = { destination: { to: 'provider', provider: hex() as ProviderId } } as const;

/** A head at a broker, with a provider and a task of each test's own, since the broker is shared. */
export class BackboneRig {
  readonly outcomes: string[] = [];
  provider = '' as ProviderId;
  task = '' as TaskId;
  readonly #start: () => Promise<BrokerUnderTest>;
  #broker: BrokerUnderTest | undefined;
  #opened: Backbone[] = [];
  #head: Backbone | undefined;

  /** To be made inside a `describe`. */
  constructor(start: () => Promise<BrokerUnderTest>) {
    this.#start = start;
    beforeAll(async () => (this.#broker = await this.#start()), 120_000);
    afterAll(() => this.broker.close());
    beforeEach(() => this.#begin());
    afterEach(() => this.#finish());
  }

  get broker(): BrokerUnderTest {
    if (!this.#broker) throw new Error('no broker yet');
    return this.#broker;
  }

  get head(): Backbone {
    if (!this.#head) throw new Error('no head yet');
    return this.#head;
  }

  async open(options: OpenOptions): Promise<Backbone> {
    const backbone = this.broker.open(options);
    this.#opened.push(backbone);
    await wait('the backbone to come up', () => backbone.status().state === 'up');
    return backbone;
  }

  message(key: string, fields: Partial<Publication> = {}): Publication {
    const { provider, task } = this;
    return { destination: { to: 'provider', provider }, key, task, frames: [Buffer.from(key)], ...fields };
  }

  numbered(count: number): string[] {
    return Array.from({ length: count }, (_, at) => `${this.task}/${at}`);
  }

  tasksOf(prefetch = 16) {
    return { from: { to: 'provider', provider: this.provider } as const, prefetch };
  }

  /** Takes deliveries; `handle` says what to do with each. */
  collect(backbone: Backbone, handle: (delivery: Delivery) => void, prefetch?: number): Delivery[] {
    const got: Delivery[] = [];
    backbone.consume(this.tasksOf(prefetch), (delivery) => {
      got.push(delivery);
      handle(delivery);
    });
    return got;
  }

  outcomeOf(key: string): OnSettled {
    return (outcome) => this.outcomes.push(`${key} ${outcome}`);
  }

  async #begin(): Promise<void> {
    this.#opened = [];
    this.outcomes.length = 0;
    this.provider = hex() as ProviderId;
    this.task = hex() as TaskId;
    this.#head = await this.open({ role: 'head' });
    this.#head.admit(this.provider);
  }

  async #finish(): Promise<void> {
    this.head.dismiss(this.provider);
    try {
      await this.head.drain({ from: { to: 'results' }, prefetch: 100 }, { withinMs: WAIT_MS, onDelivery: settle });
    } finally {
      await Promise.all(this.#opened.map((backbone) => backbone.close({ withinMs: 1000 })));
    }
  }
}
