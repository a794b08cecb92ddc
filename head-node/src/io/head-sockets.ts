/** Opens and closes the head's five sockets. Options that guard against bad peers are set before anything is bound. */
import { channels, limits, MusterError, tcpAddress, type Channel, type Endpoint } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pull, Reply, Router, XPublisher } from 'zeromq';

/**
 * ZMTP heartbeats find a vanished peer in 2 s. They are answered by libzmq's own thread, so they prove that the process
 * lives, not that its program does; the 5 s heartbeat over REQ-REP proves that.
 */
const LIVENESS = { heartbeatInterval: 500, heartbeatTimeout: 1500, heartbeatTimeToLive: 2000 };
const GUARD = { maxMessageSize: limits.messageBytesMax.value, handshakeInterval: 3000, linger: 0 };
const CONTROL = { ...LIVENESS, ...GUARD, maxMessageSize: limits.metaBytesMax.value * 2 };

export interface HeadSockets {
  readonly registration: Reply;
  readonly tasks: XPublisher;
  readonly results: Pull;
  readonly heartbeats: Reply;
  readonly clients: Router;
  /** ipc addresses of the channels that are offered to peers on this machine; empty on Windows. */
  readonly ipc: Readonly<Record<string, string>>;
  close(): void;
}

export async function openHeadSockets(endpoint: Endpoint, headId: string): Promise<HeadSockets> {
  const sockets = {
    registration: new Reply(CONTROL),
    // noDrop: a full pipe is an error that the sender sees, not a silent loss.
    tasks: new XPublisher({ ...LIVENESS, ...GUARD, noDrop: true, sendHighWaterMark: 1000, sendTimeout: 0 }),
    results: new Pull({ ...LIVENESS, ...GUARD, receiveHighWaterMark: 256 }),
    heartbeats: new Reply(CONTROL),
    clients: new Router({
      ...LIVENESS,
      ...GUARD,
      mandatory: true,
      handover: true,
      sendTimeout: 0,
      sendHighWaterMark: 4096,
    }),
  };
  const close = (): void => {
    for (const socket of Object.values(sockets)) socket.close();
    if (process.platform !== 'win32') rmSync(ipcDirectory(headId), { recursive: true, force: true });
  };
  try {
    for (const channel of Object.keys(channels) as Channel[]) await bindTcp(sockets[channel], { endpoint, channel });
    return { ...sockets, ipc: await bindIpc(sockets, headId), close };
  } catch (error) {
    close();
    throw error;
  }
}

type Bindable = Pick<Reply, 'bind'>;

async function bindTcp(
  socket: Bindable,
  { endpoint, channel }: { endpoint: Endpoint; channel: Channel },
): Promise<void> {
  const address = tcpAddress(endpoint, channel);
  try {
    await socket.bind(address);
  } catch (cause) {
    throw systemCodeOf(cause) === 'EADDRINUSE'
      ? portInUse(address, { endpoint, cause })
      : notOurAddress(endpoint.host, cause);
  }
}

const portInUse = (address: string, { endpoint, cause }: { endpoint: Endpoint; cause: unknown }): MusterError =>
  new MusterError('PORT_IN_USE', `cannot listen on ${address}`, {
    why: cause instanceof Error ? cause.message : String(cause),
    fix: `head-node --port-base ${endpoint.portBase + 10}, or stop the program that uses the port`,
    cause,
  });

const notOurAddress = (host: string, cause: unknown): MusterError =>
  new MusterError('USAGE', `--host ${host} is no address of this machine`, {
    why: cause instanceof Error ? cause.message : String(cause),
    fix: '--host 127.0.0.1 for this machine only, --host 0.0.0.0 for every network that it is in',
    cause,
  });

/** Paths of Unix sockets are limited to about 107 bytes, so they do not lie in the state directory but in the system's own for temporary files. */
const ipcDirectory = (headId: string): string => join(tmpdir(), `muster-${headId}`);

/** What carries work and results moves over ipc between processes of one machine: twice the bandwidth of loopback TCP. */
const IPC_CHANNELS = ['tasks', 'results', 'heartbeats', 'clients'] as const;

async function bindIpc(
  sockets: Record<(typeof IPC_CHANNELS)[number], Bindable>,
  headId: string,
): Promise<Record<string, string>> {
  if (process.platform === 'win32') return {};
  const directory = ipcDirectory(headId);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
  const addresses: Record<string, string> = {};
  for (const channel of IPC_CHANNELS) {
    addresses[channel] = `ipc://${join(directory, channel)}`;
    await sockets[channel].bind(addresses[channel]);
  }
  return addresses;
}
