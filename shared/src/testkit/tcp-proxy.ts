/** A link that fails on command: forwards a row of ports to another row, in this process and without special rights. */
import { leaveLocalCredential, readLocalCredential, removeLocalCredential } from '../io/local-credential.ts';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface ProxyOptions {
  /** First of the ports to listen on. */
  readonly from: number;
  /** First of the ports that they lead to. */
  readonly to: number;
  /** How many in a row; the head's five if it is not given. */
  readonly ports?: number;
}

/**
 * open    everything passes, after the latency
 * cut     connections are reset, new ones as soon as they are made
 * silent  connections stay open but nothing passes; `heal` delivers what was sent meanwhile, as TCP would
 */
type Passage = 'open' | 'cut' | 'silent';

/** Bytes that one direction buffers before it pauses the sender. */
const WINDOW_BYTES = 4 * 2 ** 20;

interface Link {
  passage: Passage;
  latencyMs: number;
  passedBytes: number;
}

/** All on 127.0.0.1. */
export class TcpProxy {
  readonly #from: number;
  readonly #link: Link = { passage: 'open', latencyMs: 0, passedBytes: 0 };
  readonly #servers: Server[] = [];
  readonly #lanes = new Set<Lane>();

  private constructor(from: number) {
    this.#from = from;
  }

  /** Owner of the copied local credential, which programs look up by the port that they dial. */
  get #name(): string {
    return `proxy ${this.#from}`;
  }

  /** Resolves when it listens. Rejects when a port is taken. */
  static async start({ from, to, ports = 5 }: ProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(from);
    const credential = readLocalCredential(to);
    if (credential !== null) leaveLocalCredential(from, { ...credential, headId: proxy.#name });
    for (let at = 0; at < ports; at++) await proxy.#listen(from + at, to + at);
    return proxy;
  }

  /** In both directions, over all connections. */
  get passedBytes(): number {
    return this.#link.passedBytes;
  }

  cut(): void {
    this.#link.passage = 'cut';
    for (const lane of this.#lanes) lane.reset();
  }

  blackHole(): void {
    this.#link.passage = 'silent';
  }

  heal(): void {
    this.#link.passage = 'open';
    for (const lane of this.#lanes) lane.flush();
  }

  /** Sets the latency of each direction, for data from now on. */
  delay(latencyMs: number): void {
    this.#link.latencyMs = latencyMs;
  }

  async close(): Promise<void> {
    removeLocalCredential(this.#from, this.#name);
    this.cut();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  async #listen(from: number, to: number): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#join(socket, to));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(from, '127.0.0.1', resolve));
    this.#servers.push(server);
  }

  #join(caller: Socket, to: number): void {
    if (this.#link.passage === 'cut') return void caller.resetAndDestroy();
    const callee = connect({ host: '127.0.0.1', port: to, noDelay: true });
    for (const [source, target] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      const lane = new Lane({ source, target }, this.#link);
      this.#lanes.add(lane);
      target.once('close', () => this.#lanes.delete(lane));
    }
  }
}

interface Chunk {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** One direction of one connection. Keeps the order even when the latency changes. */
class Lane {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #link: Link;
  readonly #chunks: Chunk[] = [];
  #keptBytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor({ source, target }: { readonly source: Socket; readonly target: Socket }, link: Link) {
    this.#source = source;
    this.#target = target;
    this.#link = link;
    source.on('data', (bytes: Buffer) => this.#take(bytes));
    source.once('end', () => this.#end());
    source.on('error', () => undefined).once('close', (failed) => this.#closed(failed));
    target.on('drain', () => this.flush());
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#chunks.length = 0;
    this.#source.resetAndDestroy();
    this.#target.resetAndDestroy();
  }

  /** Passes on what is due. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.#link.passage !== 'open') return;
    for (let next = this.#chunks[0]; next !== undefined && this.#isDue(next); next = this.#chunks[0]) this.#pass(next);
    if (this.#keptBytes < WINDOW_BYTES) this.#source.resume();
    this.#finish();
  }

  #take(bytes: Buffer): void {
    this.#chunks.push({ bytes, dueMs: performance.now() + this.#link.latencyMs });
    this.#keptBytes += bytes.length;
    if (this.#keptBytes >= WINDOW_BYTES) this.#source.pause();
    this.flush();
  }

  #isDue({ dueMs }: Chunk): boolean {
    if (this.#target.writableNeedDrain) return false;
    const restMs = dueMs - performance.now();
    if (restMs > 0) this.#timer = setTimeout(() => this.flush(), restMs);
    return restMs <= 0;
  }

  #pass({ bytes }: Chunk): void {
    this.#chunks.shift();
    this.#keptBytes -= bytes.length;
    this.#link.passedBytes += bytes.length;
    this.#target.write(bytes);
  }

  /** A silent link passes not even a reset before it is healed. */
  #closed(failed: boolean): void {
    if (failed && this.#link.passage !== 'silent') this.#target.resetAndDestroy();
    else this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#finish();
  }

  #finish(): void {
    if (this.#ended && this.#link.passage === 'open' && this.#chunks.length === 0) this.#target.end();
  }
}
