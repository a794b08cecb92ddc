import type { Backbone } from '../src/index.ts';

export interface OpenOptions {
  readonly role: 'head' | 'provider';
  readonly maxOutboxBytes?: number;
  readonly maxSilenceMs?: number;
}

/** A broker and the switches for what goes wrong with it. */
export interface BrokerUnderTest {
  open(options: OpenOptions): Backbone;
  /** Every connection is lost, and can be made again at once. */
  cutConnections(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  block(): Promise<void>;
  unblock(): Promise<void>;
  /** It stays connected and confirms nothing. */
  freeze(): void;
  thaw(): void;
  /** One queue takes nothing and confirms nothing; the others go on. */
  mute(queue: string): Promise<void>;
  unmute(queue: string): Promise<void>;
  close(): Promise<void>;
}
