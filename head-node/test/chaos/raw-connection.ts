/** TCP connections that keep to no protocol, or only as far as they like. */
import { connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';

export class RawConnection {
  readonly socket: Socket;
  /** Resolves with the ms that it lasted. */
  readonly closed: Promise<number>;
  #heard = '';

  /** Resolves when it is made. */
  static async open(port: number, first: Uint8Array | string = ''): Promise<RawConnection> {
    const connection = new RawConnection(connect(port, HOST));
    await new Promise<void>((resolve, reject) => connection.socket.once('connect', resolve).once('error', reject));
    if (first.length > 0) connection.socket.write(first);
    return connection;
  }

  private constructor(socket: Socket) {
    const sinceMs = performance.now();
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(performance.now() - sinceMs)));
    // A reset is as good as an end.
    socket.on('error', () => undefined).on('data', (bytes) => (this.#heard += bytes.toString('latin1')));
  }

  /** What the other side has said. */
  get heard(): string {
    return this.#heard;
  }
}

/** `ff`, a length that nobody reads, `7f`: the first ten bytes of ZMTP 3. */
export const SIGNATURE = Buffer.from('ff00000000000000017f', 'hex');

/** All 64 bytes of who wants to speak CURVE (RFC 23). */
export const GREETING = Buffer.concat([
  SIGNATURE,
  Buffer.from([3, 1]),
  Buffer.from('CURVE'.padEnd(20, '\0'), 'latin1'),
  Buffer.alloc(32),
]);

/** The head of a long frame of 2 GiB; nothing follows. */
export function hugeFrame(flags: 'message' | 'command'): Buffer {
  const frame = Buffer.alloc(9);
  frame[0] = flags === 'message' ? 0x02 : 0x06;
  frame.writeBigUInt64BE(2n ** 31n, 1);
  return frame;
}

/** A way to a port that passes everything on, and says what it likes to the port in between. */
export class Relay {
  readonly #server: Server;
  readonly #port: number;
  #callee: RawConnection | null = null;

  static async to(port: number): Promise<Relay> {
    const relay = new Relay(port);
    await new Promise<void>((resolve) => relay.#server.listen(0, HOST, resolve));
    return relay;
  }

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((caller) => void this.#join(caller));
  }

  get address(): string {
    const bound = this.#server.address();
    return `tcp://${HOST}:${typeof bound === 'object' ? bound?.port : 0}`;
  }

  /** Resolves with the ms until the port hung up. */
  async inject(bytes: Uint8Array): Promise<number> {
    const callee = this.#callee;
    if (callee === null) throw new Error('nobody has called');
    const sinceMs = performance.now();
    callee.socket.write(bytes);
    await callee.closed;
    return performance.now() - sinceMs;
  }

  close(): void {
    this.#callee?.socket.destroy();
    this.#server.close();
  }

  async #join(caller: Socket): Promise<void> {
    caller.on('error', () => undefined).pause();
    const callee = await RawConnection.open(this.#port);
    this.#callee ??= callee;
    caller.pipe(callee.socket).pipe(caller);
  }
}
