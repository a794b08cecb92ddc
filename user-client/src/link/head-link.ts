import {
  decode,
  encode,
  isMusterError,
  MusterError,
  PROTOCOL_VERSION,
  systemClock,
  tcpAddress,
  type Endpoint,
  type Envelope,
  type Fields,
  type Logger,
  type Message,
} from '@muster/shared';
import type { HeadRoute } from '@muster/shared/io';
import { PendingRequests, type PendingRequest } from './pending-requests.ts';
import type { Answer, Asked, AskFields, Push } from './requests.ts';
import { openSocket, type FrameSocket } from './socket.ts';

const GREET_EVERY_MS = 1000;
const PROBE_MS = 5000;
/** A request is sent again when one sent this much later was answered first: the head has dropped its answer. */
const OVERTAKEN_MS = 2000;

export interface AskOptions {
  /** The bulk frame behind the request; must not change until the answer. */
  readonly payload?: Uint8Array;
  /** Requests of one scope can be dropped together. */
  readonly scope?: string;
  readonly timeoutMs?: number;
}

export interface LinkEvents {
  readonly pushed: (push: Push) => void;
  /** The head was away and is back, perhaps restarted; `greeting` is its current state. */
  readonly returned: (greeting: Message<'greeting'>) => void;
}

export interface LinkOptions {
  readonly endpoint: Endpoint;
  readonly route: () => HeadRoute;
  readonly events: LinkEvents;
  readonly logger: Logger;
}

/**
 * Requests and answers over one socket, across lost connections and restarts of the head. Every request is idempotent, so unanswered ones
 * are sent again when the connection comes back, when the head's epoch changes, or when a later request was answered first. A request
 * waits for ever unless it has a timeout or its scope is dropped.
 */
export class HeadLink {
  readonly endpoint: Endpoint;
  readonly #events: LinkEvents;
  readonly #logger: Logger;
  readonly #socket: FrameSocket;
  readonly #ticker: NodeJS.Timeout;
  readonly #questions = new PendingRequests();
  #epoch = 0;
  #connections = 0;
  #probing = false;
  #heardMs = systemClock.nowMs();
  #closed = false;

  constructor({ endpoint, route, events, logger }: LinkOptions) {
    this.endpoint = endpoint;
    this.#events = events;
    this.#logger = logger;
    const socketEvents = {
      connected: () => this.#connected(),
      received: (frames: readonly Uint8Array[]) => this.#received(frames),
      refused: (error: MusterError) => this.#questions.failWhere(() => true, error),
    };
    this.#socket = openSocket({ endpoint, route, logger }, socketEvents);
    this.#ticker = setInterval(() => this.#tick(), GREET_EVERY_MS);
  }

  /** The head's epoch as last reported; 0 before its first greeting. */
  get headEpoch(): number {
    return this.#epoch;
  }

  /** Milliseconds since the head was last heard. */
  get silentMs(): number {
    return systemClock.nowMs() - this.#heardMs;
  }

  /** Rejects with the head's error, with HEAD_UNREACHABLE after `timeoutMs`, or with the error that its scope is dropped with. */
  ask<T extends Asked>(type: T, fields: AskFields<T>, options: AskOptions = {}): Promise<Answer<T>> {
    if (this.#closed) return Promise.reject(closedError());
    const request = this.#questions.nextRequest();
    const frame = encode(type, { ...fields, request } as unknown as Fields<T>);
    const frames: PendingRequest['frames'] = options.payload === undefined ? [frame] : [frame, options.payload];
    return new Promise<Answer<T>>((resolve, reject) => {
      const settle = resolve as unknown as PendingRequest['resolve'];
      const question: PendingRequest = {
        type,
        frames,
        scope: options.scope ?? '',
        resolve: settle,
        reject,
        sentMs: systemClock.nowMs(),
        resent: false,
      };
      const { timeoutMs } = options;
      if (timeoutMs !== undefined) {
        question.timer = setTimeout(
          () => this.#questions.fail(request, unreachable(this.endpoint, timeoutMs)),
          timeoutMs,
        );
      }
      this.#questions.add(request, question);
      this.#socket.send(frames);
    });
  }

  /** Greets the head and records its epoch; if the epoch has changed, open requests are sent again. */
  async greet(options: AskOptions = {}): Promise<Message<'greeting'>> {
    const { message } = await this.ask('greet', { version: PROTOCOL_VERSION }, options);
    const before = this.#epoch;
    this.#epoch = message.epoch;
    if (before !== 0 && before !== message.epoch) this.#resume(message);
    return message;
  }

  drop(scope: string, error: unknown): void {
    this.#questions.failWhere((question) => question.scope === scope, error);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#questions.failWhere(() => true, closedError());
    this.#socket.close();
  }

  /** After the first connection nothing is sent again: ZeroMQ has kept what was sent before it. */
  #connected(): void {
    this.#connections += 1;
    if (this.#connections > 1 && !this.#closed) void this.#greetAgain();
  }

  /** To the head a new connection is a new peer even within one epoch: it has forgotten this client's watches. */
  async #greetAgain(): Promise<void> {
    const epoch = this.#epoch;
    try {
      const greeting = await this.greet();
      this.#logger.info({ epoch: greeting.epoch }, 'connected to the head again');
      if (greeting.epoch === epoch) this.#resume(greeting);
    } catch (error) {
      this.#logger.debug({ error }, 'the head did not greet');
    }
  }

  #resume(greeting: Message<'greeting'>): void {
    this.#askAgain(() => true);
    this.#events.returned(greeting);
  }

  /** While any request is open, one probe is in flight: its answer shows which requests it has overtaken, and the epoch. */
  #tick(): void {
    if (!this.#probing && this.#questions.size > 0) void this.#probe();
  }

  async #probe(): Promise<void> {
    this.#probing = true;
    const sentMs = systemClock.nowMs();
    try {
      // Needs a timeout, because the head drops answers that do not fit its queue, also this one.
      await this.greet({ timeoutMs: PROBE_MS });
      this.#askAgain((question) => question.sentMs < sentMs - OVERTAKEN_MS);
    } catch (error) {
      this.#logger.debug({ error }, 'the head did not answer a probe');
    } finally {
      this.#probing = false;
    }
  }

  #askAgain(which: (question: PendingRequest) => boolean): void {
    for (const question of this.#questions.where(which)) {
      question.resent = true;
      question.sentMs = systemClock.nowMs();
      this.#socket.send(question.frames);
    }
  }

  #received(frames: readonly Uint8Array[]): void {
    const envelope = this.#read(frames);
    if (envelope === null) return;
    this.#heardMs = systemClock.nowMs();
    const { message } = envelope;
    if (message.type === 'tiles' || message.type === 'progress' || message.type === 'ended')
      this.#events.pushed(message);
    else if ('request' in message) this.#questions.answer(message.request, envelope);
  }

  #read(frames: readonly Uint8Array[]): Envelope | null {
    try {
      return decode(frames);
    } catch (error) {
      if (isMusterError(error) && error.code === 'VERSION_MISMATCH') this.#questions.failWhere(() => true, error);
      this.#logger.warn({ error }, 'a message of the head was not understood');
      return null;
    }
  }
}

const closedError = (): MusterError => new MusterError('INTERRUPTED', 'the client is closed');

export const unreachable = (endpoint: Endpoint, waitedMs: number): MusterError =>
  new MusterError('HEAD_UNREACHABLE', 'no head node answers', {
    why: `nothing came back from ${tcpAddress(endpoint, 'clients')} within ${(waitedMs / 1000).toFixed(1)} s`,
    fix: `start one there: head-node --port-base ${endpoint.portBase}   or name another with --head and --port-base`,
  });
