/**
 * ZAP (ZeroMQ RFC 27): libzmq asks this handler about every handshake on a socket with a domain. Without a handler in the context libzmq
 * would let every peer in, or none where `zapEnforceDomain` is set; so it is bound before any other socket, and refuses what it cannot read
 * or decide.
 */
import type { Logger } from '@muster/shared';
import { encodeZ85 } from '@muster/shared';
import { Router, type Context } from 'zeromq';

const ENDPOINT = 'inproc://zeromq.zap.01';
const VERSION = '1.0';
/** Version, request id, domain, address, routing id, mechanism, key. */
const FRAMES = 7;

export interface ZapRequest {
  /** The socket's ZAP domain. */
  readonly domain: string;
  /** IP address of the peer. */
  readonly address: string;
  /** Its CURVE public key, Z85. */
  readonly publicKey: string;
}

/**
 * in       let in
 * refused  told so; does not try again
 * cut      told nothing; ZeroMQ connects again by itself, later
 */
export type Admission = 'in' | 'refused' | 'cut';

export type Authenticator = (request: ZapRequest) => Admission;

/** A temporary error (300) makes libzmq close the connection without a word. */
const answers: Readonly<Record<Admission, readonly [status: string, text: string]>> = {
  in: ['200', 'OK'],
  refused: ['400', 'unknown key'],
  cut: ['300', 'later'],
};

export class ZapHandler {
  readonly #socket: Router;
  readonly #authenticator: Authenticator;
  readonly #logger: Logger;

  static async start(context: Context, authenticator: Authenticator, logger: Logger): Promise<ZapHandler> {
    const handler = new ZapHandler(new Router({ context, linger: 0 }), authenticator, logger);
    await handler.#socket.bind(ENDPOINT);
    void handler.#run();
    return handler;
  }

  private constructor(socket: Router, authenticator: Authenticator, logger: Logger) {
    this.#socket = socket;
    this.#authenticator = authenticator;
    this.#logger = logger;
  }

  close(): void {
    this.#socket.close();
  }

  async #run(): Promise<void> {
    for await (const frames of this.#socket) {
      // The socket may be closed at any moment, also while an answer is being sent.
      if (this.#socket.closed) return;
      // The routing envelope ends with an empty frame.
      const end = frames.findIndex(({ length }) => length === 0) + 1;
      const request = frames.slice(end);
      const [status, text] = answers[this.#verdictOn(request)];
      await this.#reply([...frames.slice(0, end), VERSION, request[1] ?? '', status, text, '', '']);
    }
  }

  async #reply(frames: (Buffer | string)[]): Promise<void> {
    try {
      await this.#socket.send(frames);
    } catch (error) {
      if (!this.#socket.closed) throw error;
    }
  }

  #verdictOn(request: readonly Buffer[]): Admission {
    const [version, , domain, address, , mechanism, key] = request;
    try {
      if (request.length !== FRAMES || String(version) !== VERSION || String(mechanism) !== 'CURVE') return 'refused';
      if (key?.length !== 32) return 'refused';
      return this.#authenticator({ domain: String(domain), address: String(address), publicKey: encodeZ85(key) });
    } catch (error) {
      this.#logger.error({ error }, 'a handshake broke its check');
      return 'refused';
    }
  }
}
