/** Asks the head over REQ-REP. A REQ socket is lock-step; `relaxed` and `correlate` let a request be repeated after silence. */
import { deferred } from '../deferred.ts';
import { fromWireError, MusterError } from '../errors.ts';
import type { Channel } from '../protocol/channels.ts';
import { decode, encode, sealed } from '../protocol/codec.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { HandshakeWatch, type SocketEvent } from './handshake.ts';
import { dialOptions, type HeadRoute } from './head-route.ts';

const ANSWER_MS = 1000;

const OPTIONS = {
  relaxed: true,
  correlate: true,
  receiveTimeout: ANSWER_MS,
  sendTimeout: ANSWER_MS,
  linger: 0,
  reconnectInterval: 100,
  reconnectMaxInterval: 1000,
};

/** The part of ZeroMQ's `Request` that is used. */
export interface RequestSocket {
  readonly events: AsyncIterable<SocketEvent>;
  connect(address: string): void;
  send(frame: Uint8Array): Promise<void>;
  receive(): Promise<Buffer[]>;
  close(): void;
}

export type RequestSocketClass = new (options: typeof OPTIONS & ReturnType<typeof dialOptions>) => RequestSocket;

export class RequestClient {
  readonly #socket: RequestSocket;
  readonly #address: string;
  readonly #seal: string;
  /** Rejects when the head does not let us in. */
  readonly #refusal = deferred<never>();
  #queue: Promise<unknown> = Promise.resolve();
  #refused = false;

  constructor(Request: RequestSocketClass, route: HeadRoute, channel: Channel) {
    this.#address = route.addresses[channel];
    this.#seal = route.seal;
    this.#socket = new Request({ ...OPTIONS, ...dialOptions(route) });
    this.#refusal.promise.catch(() => undefined);
    // Before the connection is made, so that no event is missed.
    void this.#watch(new HandshakeWatch(this.#address, route.curve));
    this.#socket.connect(this.#address);
  }

  /** The head did not let this socket in: another must be made. */
  get refused(): boolean {
    return this.#refused;
  }

  /**
   * One question at a time. Rejects with HEAD_UNREACHABLE after a second of silence, with UNAUTHORIZED or WRONG_HEAD when the handshake
   * fails, or with the head's refusal.
   */
  ask<T extends MessageType>(type: T, fields: Fields<T>): Promise<Message> {
    const answer = this.#queue.then(() => this.#exchange(sealed(encode(type, fields), this.#seal)));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.#socket.close();
  }

  async #watch(watch: HandshakeWatch): Promise<void> {
    for await (const event of this.#socket.events) {
      const refusal = watch.refusal(event);
      if (refusal === null) continue;
      this.#refused = true;
      this.#refusal.reject(refusal);
    }
  }

  async #exchange(frame: Buffer): Promise<Message> {
    const frames = await Promise.race([this.#roundTrip(frame), this.#refusal.promise]);
    const { message } = decode(frames);
    if (message.type === 'refused') throw fromWireError(message.error);
    return message;
  }

  async #roundTrip(frame: Buffer): Promise<Buffer[]> {
    try {
      await this.#socket.send(frame);
      return await this.#socket.receive();
    } catch (cause) {
      throw new MusterError('HEAD_UNREACHABLE', 'the head does not answer', {
        why: `no answer from ${this.#address} within ${ANSWER_MS} ms`,
        fix: 'start it, head-node, or name its port with --port-base',
        cause,
      });
    }
  }
}

export function expectType<T extends MessageType>(message: Message, type: T): Message<T> {
  if (message.type === type) return message as Message<T>;
  throw new MusterError('PROTOCOL', 'the head gave an unexpected answer', {
    why: `${message.type} instead of ${type}`,
  });
}
