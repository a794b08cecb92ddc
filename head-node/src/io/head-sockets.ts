/**
 * Opens and closes the head's sockets: five on TCP, encrypted, and the same five in a folder for this account only, plain, which carry
 * four times as much. Options that guard against bad peers are set before anything is bound.
 */
import {
  channels,
  isIpv6,
  limits,
  MusterError,
  tcpAddress,
  type Channel,
  type Endpoint,
  type KeyPair,
  type Logger,
} from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Context, Pull, Reply, Router, type SocketOptions, type Socket } from 'zeromq';
import { expectStrangersRefused, type Trial } from '../trust/handshake-test.ts';
import type { Origin } from '../trust/peer.ts';
import { ZapHandler, type Authenticator } from '../trust/zap.ts';
import { GuardedPublisher } from './guarded-publisher.ts';
import { warnOfFewFiles } from './open-files.ts';

/**
 * ZMTP heartbeats find a vanished peer in 2 s. They are answered by libzmq's own thread, so they prove that the process
 * lives, not that its program does; the 5 s heartbeat over REQ-REP proves that.
 */
const LIVENESS = { heartbeatInterval: 500, heartbeatTimeout: 1500, heartbeatTimeToLive: 2000 };
const GUARD = {
  maxMessageSize: limits.messageBytesMax.value,
  handshakeInterval: limits.handshakeMs.value,
  backlog: limits.connectionsUntaken.value,
  linger: 0,
};
const CONTROL = { ...LIVENESS, ...GUARD, maxMessageSize: limits.metaBytesMax.value * 2 };

/** One socket for each channel. */
export interface SocketSet {
  readonly origin: Origin;
  readonly registration: Reply;
  readonly tasks: GuardedPublisher;
  readonly results: Pull;
  readonly heartbeats: Reply;
  readonly clients: Router;
}

export interface HeadSockets {
  readonly sets: readonly SocketSet[];
  /** Addresses of the local set; null where the system has none. */
  readonly ipc: Readonly<Record<Channel, string>> | null;
  close(): void;
}

export interface CurveServer {
  readonly keys: KeyPair;
  readonly authenticator: Authenticator;
  /** Keys that the authenticator must refuse. */
  readonly trialKeys: KeyPair;
}

export interface SocketsOptions {
  readonly endpoint: Endpoint;
  readonly headId: string;
  /** CURVE on TCP; null: plain. */
  readonly curve: CurveServer | null;
  readonly logger: Logger;
}

/** Throws PORT_IN_USE, USAGE for a host that is no address of this machine, and BUG when a port lets an unknown key in. */
export async function openHeadSockets(options: SocketsOptions): Promise<HeadSockets> {
  const { headId, curve, logger, endpoint } = options;
  if (curve !== null) warnOfFewFiles(logger);
  // Not the default context, because a context has one ZAP handler.
  const context = new Context();
  const zap = curve === null ? null : await ZapHandler.start(context, curve.authenticator, logger);
  const tcp = openSet(curve === null ? 'plain' : 'encrypted', (channel) => ({
    context,
    ipv6: isIpv6(endpoint),
    ...(curve === null ? {} : curveServer(channel, curve.keys)),
  }));
  const local = process.platform === 'win32' ? null : openSet('local', () => ({ context }));
  const sets = local === null ? [tcp] : [tcp, local];
  const close = (): void => {
    for (const { origin: _, ...sockets } of sets) for (const socket of Object.values(sockets)) socket.close();
    zap?.close();
    if (local !== null) rmSync(ipcDirectory(headId), { recursive: true, force: true });
  };
  try {
    for (const channel of channelNames) await bindTcp(tcp[channel], { endpoint, channel });
    if (curve !== null) await expectStrangersRefused(trialOf(curve, endpoint));
    return { sets, ipc: local === null ? null : await bindIpc(local, headId), close };
  } catch (error) {
    close();
    throw error;
  }
}

const channelNames = Object.keys(channels) as Channel[];

/** A wildcard address cannot be dialled; loopback stands in for it. */
const dialled = ({ host, portBase }: Endpoint): Endpoint => ({
  host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host,
  portBase,
});

const trialOf = ({ keys, trialKeys }: CurveServer, endpoint: Endpoint): Trial => ({
  endpoint: dialled(endpoint),
  headKey: keys.publicKey,
  keys: trialKeys,
});

type More = (channel: Channel) => SocketOptions<Socket> & { readonly context: Context };

const curveServer = (channel: Channel, { secretKey }: KeyPair): SocketOptions<Socket> => ({
  curveServer: true,
  curveSecretKey: secretKey,
  zapDomain: channel,
  zapEnforceDomain: true,
});

function openSet(origin: Origin, more: More): SocketSet {
  return {
    origin,
    registration: new Reply({ ...CONTROL, ...more('registration') }),
    // noDrop: a full pipe is an error that the sender sees, not a silent loss.
    tasks: new GuardedPublisher({
      ...LIVENESS,
      ...GUARD,
      manual: true,
      noDrop: true,
      sendHighWaterMark: limits.leasesQueued.value,
      sendTimeout: 0,
      ...more('tasks'),
    }),
    results: new Pull({ ...LIVENESS, ...GUARD, receiveHighWaterMark: 256, ...more('results') }),
    heartbeats: new Reply({ ...CONTROL, ...more('heartbeats') }),
    clients: new Router({
      ...LIVENESS,
      ...GUARD,
      mandatory: true,
      sendTimeout: 0,
      sendHighWaterMark: limits.answersQueued.value,
      ...more('clients'),
    }),
  };
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

/** Paths of Unix sockets are limited to about 107 bytes, so these lie in the system's temporary directory, not in the state directory. */
const ipcDirectory = (headId: string): string => join(tmpdir(), `muster-${headId}`);

async function bindIpc(sockets: SocketSet, headId: string): Promise<Record<Channel, string>> {
  const directory = ipcDirectory(headId);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
  const addressOf = (channel: Channel): string => `ipc://${join(directory, channel)}`;
  for (const channel of channelNames) await sockets[channel].bind(addressOf(channel));
  return Object.fromEntries(channelNames.map((channel) => [channel, addressOf(channel)])) as Record<Channel, string>;
}
