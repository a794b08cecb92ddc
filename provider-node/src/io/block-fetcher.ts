/**
 * Fetches operand blocks from the head in chunks, several at a time, each block once however many leases want it. Unanswered requests are
 * repeated: the head drops answers that do not fit its queue, and a connection may be lost with one in flight.
 */
import {
  decode,
  encode,
  fromWireError,
  Limiter,
  limits,
  MusterError,
  sealed,
  systemClock,
  toWireError,
  type BlockId,
  type Envelope,
  type Fields,
  type Logger,
} from '@muster/shared';
import { dialOptions, SendQueue, type BlockStore, type HeadRoute } from '@muster/shared/io';
import { Dealer } from 'zeromq';
import { LinkRate } from './link-rate.ts';

interface Waiting {
  readonly frames: Uint8Array[];
  askedMs: number;
  readonly resolve: (envelope: Envelope) => void;
  readonly reject: (error: unknown) => void;
}

/** Probe sizes in bytes, tried in turn until one takes PROBED_MS: 0.5, 8 and 67 ms at 1 Gbit/s. More urgent messages share the link. */
const PROBES = [2 ** 16, 2 ** 20, 8 * 2 ** 20] as const;
const PROBED_MS = 50;

/** Far longer than even a busy head takes to answer. */
const ASK_AGAIN_MS = 3000;

export interface BlockFetcherOptions {
  readonly logger: Logger;
  /** Default 3 s. */
  readonly askAgainMs?: number;
}

export class BlockFetcher {
  readonly #socket: Dealer;
  readonly #queue: SendQueue;
  readonly #blocks: BlockStore;
  readonly #logger: Logger;
  readonly #askAgainMs: number;
  readonly #seal: string;
  readonly #asking: NodeJS.Timeout;
  readonly #waiting = new Map<number, Waiting>();
  readonly #fetching = new Map<BlockId, Promise<void>>();
  readonly #underWay = new Limiter(limits.fetchesUnderWay.value);
  readonly #rate = new LinkRate();
  #next = 1;

  constructor(route: HeadRoute, blocks: BlockStore, { logger, askAgainMs = ASK_AGAIN_MS }: BlockFetcherOptions) {
    this.#blocks = blocks;
    this.#logger = logger;
    this.#seal = route.seal;
    this.#askAgainMs = askAgainMs;
    this.#socket = new Dealer({
      ...dialOptions(route),
      linger: 0,
      maxMessageSize: limits.messageBytesMax.value,
      heartbeatInterval: 500,
      heartbeatTimeout: 1500,
    });
    this.#socket.connect(route.addresses.clients);
    this.#queue = new SendQueue(this.#socket, () => undefined);
    this.#asking = setInterval(() => this.#askAgain(), askAgainMs / 2);
    void this.#receive();
  }

  /** Resolves when every block is in the store. Rejects with BLOCK_MISSING, BAD_DATA (hash differs) or HEAD_UNREACHABLE. */
  async fetch(ids: readonly BlockId[]): Promise<void> {
    await Promise.all(ids.filter((id) => !this.#blocks.has(id)).map((id) => this.#once(id)));
  }

  /** Measured so far; 0 when unknown. */
  get bytesPerMs(): number {
    return this.#rate.bytesPerMs;
  }

  /** Fetches bytes of no use in order to measure the link. Rejects with HEAD_UNREACHABLE. */
  async probe(): Promise<void> {
    for (const bytes of PROBES) {
      const beganMs = systemClock.nowMs();
      const piece = Math.min(bytes, limits.chunkBytesMax.value);
      await Promise.all(Array.from({ length: bytes / piece }, () => this.#inTurn('probe', { bytes: piece })));
      if (systemClock.nowMs() - beganMs >= PROBED_MS) return;
    }
  }

  close(): void {
    clearInterval(this.#asking);
    this.#socket.close();
    for (const { reject } of this.#waiting.values())
      reject(new MusterError('HEAD_UNREACHABLE', 'the connection to the head was lost'));
    this.#waiting.clear();
  }

  #once(id: BlockId): Promise<void> {
    const under = this.#fetching.get(id);
    if (under !== undefined) return under;
    const fetching = this.#fetchBlock(id).finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, fetching);
    return fetching;
  }

  /** The first chunk tells the size; the rest follow with `fetchWindow` requests in flight. */
  async #fetchBlock(id: BlockId): Promise<void> {
    const chunk = limits.chunkBytesMax.value;
    const total = await this.#fetchChunk(id, 0);
    let next = chunk;
    const lane = async (): Promise<void> => {
      while (next < total) {
        const offset = next;
        next += chunk;
        await this.#fetchChunk(id, offset);
      }
    };
    await Promise.all(Array.from({ length: limits.fetchWindow.value }, lane));
  }

  async #fetchChunk(id: BlockId, offset: number): Promise<number> {
    const { message, payload } = await this.#inTurn('fetch', { block: id, offset, length: limits.chunkBytesMax.value });
    if (message.type === 'error') throw fromWireError(message.error);
    if (message.type !== 'chunk' || payload === null)
      throw new MusterError('PROTOCOL', 'the head gave an unexpected answer', { why: message.type });
    this.#blocks.receive({ id, offset, total: message.total, bytes: payload });
    return message.total;
  }

  async #inTurn<T extends 'fetch' | 'probe'>(type: T, fields: Omit<Fields<T>, 'request'>): Promise<Envelope> {
    await this.#underWay.enter();
    try {
      const request = this.#next++;
      return await this.#ask(request, encode(type, { ...fields, request } as Fields<T>));
    } finally {
      this.#underWay.leave();
    }
  }

  #ask(request: number, question: Buffer): Promise<Envelope> {
    const frames = [sealed(question, this.#seal)];
    const askedMs = systemClock.nowMs();
    if (this.#waiting.size === 0) this.#rate.began(askedMs);
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { frames, askedMs, resolve, reject });
      this.#queue.push(frames);
    });
  }

  #askAgain(): void {
    const nowMs = systemClock.nowMs();
    for (const waiting of this.#waiting.values()) {
      if (nowMs - waiting.askedMs < this.#askAgainMs) continue;
      waiting.askedMs = nowMs;
      this.#queue.push(waiting.frames);
    }
  }

  async #receive(): Promise<void> {
    for await (const frames of this.#socket) {
      try {
        this.#answered(decode(frames));
      } catch (error) {
        this.#logger.warn({ error: toWireError(error) }, 'an answer of the head was dropped');
      }
    }
  }

  #answered(envelope: Envelope): void {
    if (!('request' in envelope.message)) return;
    const waiting = this.#waiting.get(envelope.message.request);
    // A repeated request is answered twice.
    if (waiting === undefined) return;
    waiting.resolve(envelope);
    this.#waiting.delete(envelope.message.request);
    this.#rate.received(envelope.payload?.length ?? 0);
    if (this.#waiting.size === 0) this.#rate.ended(systemClock.nowMs());
  }
}
