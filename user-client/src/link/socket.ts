import { isIpv6, limits, MusterError, sealed, tcpAddress, type Endpoint, type Logger } from '@muster/shared';
import { dialOptions, HandshakeWatch, sameRoute, SendQueue, type Frames, type HeadRoute } from '@muster/shared/io';
import { Dealer } from 'zeromq';

export interface SocketEvents {
  /** The connection is up, for the first time or again. */
  readonly connected: () => void;
  readonly received: (frames: readonly Uint8Array[]) => void;
  /** The head refuses the connection: UNAUTHORIZED or WRONG_HEAD. */
  readonly refused: (error: MusterError) => void;
}

export interface FrameSocket {
  /**
   * Queues one message; while the head is away the first 1000 are with ZeroMQ, the others here. Frames must not change until the answer.
   */
  send(frames: readonly [Buffer, ...Uint8Array[]]): void;
  close(): void;
}

export interface SocketOptions {
  readonly endpoint: Endpoint;
  /** Evaluated again while there is no connection: the head may have been started, or replaced by another. */
  readonly route: () => HeadRoute;
  readonly logger: Logger;
}

const LOOK_AGAIN_MS = 250;

/** One DEALER to the head's client endpoint. It reconnects for ever; messages in flight at a disconnect may be lost or arrive twice. */
export function openSocket(options: SocketOptions, events: SocketEvents): FrameSocket {
  expectAddress(options.endpoint);
  return new RoutedSocket(options, events);
}

/** While not connected, checks whether the route to the head has changed, and dials a new one with a new socket. */
class RoutedSocket implements FrameSocket {
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  readonly #looking: NodeJS.Timeout;
  #route: HeadRoute;
  #socket: Dealer;
  #queue: SendQueue;
  #connected = false;
  /** Messages sent before the first connection, to be repeated on a new route; null afterwards. */
  #early: Frames[] | null = [];

  constructor(options: SocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#route = options.route();
    [this.#socket, this.#queue] = this.#dial();
    this.#looking = setInterval(() => this.#lookAgain(), LOOK_AGAIN_MS);
  }

  send([head, ...bytes]: readonly [Buffer, ...Uint8Array[]]): void {
    const frames = [sealed(head, this.#route.seal), ...bytes];
    this.#early?.push(frames);
    this.#queue.push(frames);
  }

  close(): void {
    clearInterval(this.#looking);
    this.#socket.close();
  }

  #dial(): [Dealer, SendQueue] {
    const { addresses, curve } = this.#route;
    const socket = new Dealer({
      ...dialOptions(this.#route),
      linger: 0,
      reconnectInterval: 100,
      reconnectMaxInterval: 1000,
      heartbeatInterval: 500,
      heartbeatTimeout: 1500,
      maxMessageSize: limits.messageBytesMax.value,
    });
    const queue = new SendQueue(socket, (_frames, error) => {
      if (!socket.closed) this.#options.logger.warn({ error }, 'the socket refused a message');
    });
    // Before the connection is made, so that no event is missed.
    void this.#watch(socket, new HandshakeWatch(addresses.clients, curve));
    socket.connect(addresses.clients);
    void receiveAll(socket, this.#events.received);
    return [socket, queue];
  }

  #lookAgain(): void {
    if (this.#connected) return;
    try {
      const route = this.#options.route();
      if (sameRoute(route, this.#route)) return;
      this.#route = route;
    } catch (error) {
      return this.#options.logger.debug({ error }, 'there is no way to the head now');
    }
    this.#socket.close();
    [this.#socket, this.#queue] = this.#dial();
    for (const [head, ...bytes] of this.#early ?? [])
      this.#queue.push([sealed(head as Buffer, this.#route.seal), ...bytes]);
  }

  /** Once there was a connection, WRONG_HEAD may also mean that the head is restarting or was cut off. */
  #isFinal({ code }: MusterError): boolean {
    return code !== 'WRONG_HEAD' || this.#early !== null;
  }

  /** Read as a stream: `events.on` would load a module late, which Jest forbids once a test file has ended. */
  async #watch(socket: Dealer, handshakes: HandshakeWatch): Promise<void> {
    for await (const event of socket.events) {
      const refusal = handshakes.refusal(event);
      if (refusal !== null && socket === this.#socket && this.#isFinal(refusal)) this.#events.refused(refusal);
      if (event.type === 'disconnect') this.#connected = false;
      if (event.type !== 'handshake') continue;
      this.#connected = true;
      this.#early = null;
      this.#events.connected();
    }
  }
}

/**
 * Throws USAGE for an invalid address. Only ZeroMQ's `connect` can tell, and the route may lead to another address: hence a trial socket.
 */
function expectAddress(endpoint: Endpoint): void {
  const address = tcpAddress(endpoint, 'clients');
  const trial = new Dealer({ linger: 0, ipv6: isIpv6(endpoint) });
  try {
    trial.connect(address);
  } catch (cause) {
    throw new MusterError('USAGE', 'the address of the head is not valid', {
      why: `'${address}' is refused: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: 'give --head a name or an IP address, and the port with --port-base',
      cause,
    });
  } finally {
    trial.close();
  }
}

/** Ends when the socket is closed. */
async function receiveAll(socket: Dealer, received: SocketEvents['received']): Promise<void> {
  for await (const frames of socket) received(frames);
}
