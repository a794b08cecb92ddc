/**
 * Serializes sends on a ZeroMQ socket, which refuses (EBUSY) a send while another is pending. Messages leave in order; the caller never
 * waits. A pushed buffer must not be changed until the peer has acknowledged it at the protocol level: libzmq sends it without a copy.
 */
export type Frames = readonly (Uint8Array | string)[];

export interface FrameSender {
  send(frames: (Uint8Array | string)[]): Promise<void>;
}

export class SendQueue {
  readonly #sender: FrameSender;
  readonly #onUndelivered: (frames: Frames, error: unknown) => void;
  readonly #waiting: Frames[] = [];
  #sending = false;
  #idle: (() => void)[] = [];

  /** `onUndelivered`: the socket refused these frames; the queue goes on with the next. */
  constructor(sender: FrameSender, onUndelivered: (frames: Frames, error: unknown) => void) {
    this.#sender = sender;
    this.#onUndelivered = onUndelivered;
  }

  /** Messages that the socket has not taken yet. */
  get size(): number {
    return this.#waiting.length + (this.#sending ? 1 : 0);
  }

  push(frames: Frames): void {
    this.#waiting.push(frames);
    if (!this.#sending) void this.#drain();
  }

  /** Resolves when everything pushed so far was taken or refused. */
  drained(): Promise<void> {
    if (!this.#sending) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    for (let next = 0; next < this.#waiting.length; next += 1) {
      const frames = this.#waiting[next] ?? [];
      try {
        await this.#sender.send([...frames]);
      } catch (error) {
        this.#onUndelivered(frames, error);
      }
      if (next > 1000) next -= this.#waiting.splice(0, next + 1).length;
    }
    this.#waiting.length = 0;
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
