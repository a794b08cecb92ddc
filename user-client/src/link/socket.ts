import { limits, MusterError, tcpAddress, type Endpoint, type Logger } from '@muster/shared';
import { SendQueue, type Frames } from '@muster/shared/io';
import { Dealer } from 'zeromq';

export interface SocketEvents {
  /** The connection is up, for the first time or again. */
  readonly connected: () => void;
  readonly received: (frames: readonly Uint8Array[]) => void;
}

export interface FrameSocket {
  /** Queues one message: up to ZeroMQ's 1000 while the head is away, then here. Frames stay frozen until the head has answered. */
  send(frames: Frames): void;
  close(): void;
}

/** One DEALER to the head's client endpoint. It reconnects for ever; what was under way then may be lost or arrive twice. */
export function openSocket(endpoint: Endpoint, events: SocketEvents, logger: Logger): FrameSocket {
  const socket = new Dealer({
    linger: 0,
    ipv6: endpoint.host.includes(':'),
    reconnectInterval: 100,
    reconnectMaxInterval: 1000,
    heartbeatInterval: 500,
    heartbeatTimeout: 1500,
    maxMessageSize: limits.messageBytesMax.value,
  });
  // Before the connection is made, so that no event is missed.
  void watchConnection(socket, events.connected);
  connect(socket, endpoint);
  void receiveAll(socket, events.received);
  const queue = new SendQueue(socket, (_frames, error) => {
    if (!socket.closed) logger.warn({ error }, 'the socket refused a message');
  });
  return { send: (frames) => queue.push(frames), close: () => socket.close() };
}

function connect(socket: Dealer, endpoint: Endpoint): void {
  const address = tcpAddress(endpoint, 'clients');
  try {
    socket.connect(address);
  } catch (cause) {
    socket.close();
    throw new MusterError('USAGE', 'the address of the head is not valid', {
      why: `'${address}' is refused: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: 'give --head a name or an IP address, and the port with --port-base',
      cause,
    });
  }
}

/** Read as a stream: `events.on` would load a module late, which Jest forbids once a test file has ended. */
async function watchConnection(socket: Dealer, connected: SocketEvents['connected']): Promise<void> {
  for await (const { type } of socket.events) if (type === 'handshake') connected();
}

/** Ends when the socket is closed. */
async function receiveAll(socket: Dealer, received: SocketEvents['received']): Promise<void> {
  for await (const frames of socket) received(frames);
}
