/** Asks the head over REQ-REP. A REQ socket is lock-step; `relaxed` and `correlate` let a request be repeated after silence. */
import {
  decode,
  encode,
  fromWireError,
  MusterError,
  tcpAddress,
  type Endpoint,
  type Fields,
  type Message,
  type MessageType,
} from '@muster/shared';
import { Request } from 'zeromq';

const ANSWER_MS = 1000;

export class Asker {
  readonly #socket: Request;
  readonly #address: string;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(address: string) {
    this.#address = address;
    this.#socket = new Request({
      relaxed: true,
      correlate: true,
      receiveTimeout: ANSWER_MS,
      sendTimeout: ANSWER_MS,
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
    });
    this.#socket.connect(address);
  }

  /** One question at a time. Rejects with HEAD_UNREACHABLE after a second of silence, or with the head's refusal. */
  ask<T extends MessageType>(type: T, fields: Fields<T>): Promise<Message> {
    const answer = this.#queue.then(() => this.#exchange(encode(type, fields)));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.#socket.close();
  }

  async #exchange(frame: Buffer): Promise<Message> {
    const frames = await this.#roundTrip(frame);
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
        cause,
      });
    }
  }
}

export const registrationAsker = (endpoint: Endpoint): Asker => new Asker(tcpAddress(endpoint, 'registration'));

export function expectType<T extends MessageType>(message: Message, type: T): Message<T> {
  if (message.type === type) return message as Message<T>;
  throw new MusterError('PROTOCOL', 'the head gave an unexpected answer', {
    why: `${message.type} instead of ${type}`,
  });
}
