/** Before the head reports that it is ready, it dials every port with an unknown key. A port that accepts it ends the start. */
import { isIpv6, MusterError, tcpAddress, type Channel, type Endpoint, type KeyPair } from '@muster/shared';
import { firstHandshake } from '@muster/shared/io';
import { Dealer, Push, Request, Subscriber, type Event } from 'zeromq';

const ANSWER_MS = 3000;

/** By the type of socket that each port expects. */
const diallers = {
  registration: Request,
  tasks: Subscriber,
  results: Push,
  heartbeats: Request,
  clients: Dealer,
} as const;

export interface Trial {
  readonly endpoint: Endpoint;
  readonly headKey: string;
  /** Keys that the head does not know. */
  readonly keys: KeyPair;
}

/** Throws BUG when a port accepts the unknown key, or gives no verdict. */
export async function expectStrangersRefused(trial: Trial): Promise<void> {
  const channels = Object.keys(diallers) as Channel[];
  const outcomes = await Promise.all(channels.map((channel) => knock(channel, trial)));
  const open = channels.filter((_, at) => outcomes[at] !== 'handshake:error:auth');
  if (open.length > 0) throw insecure(open, outcomes);
}

async function knock(channel: Channel, { endpoint, headKey, keys }: Trial): Promise<Event['type'] | 'nothing'> {
  const { publicKey, secretKey } = keys;
  const socket = new diallers[channel]({
    linger: 0,
    ipv6: isIpv6(endpoint),
    curveServerKey: headKey,
    curvePublicKey: publicKey,
    curveSecretKey: secretKey,
  });
  const silence = setTimeout(() => socket.close(), ANSWER_MS);
  try {
    const verdict = firstHandshake(socket.events);
    socket.connect(tcpAddress(endpoint, channel));
    return await verdict;
  } finally {
    clearTimeout(silence);
    if (!socket.closed) socket.close();
  }
}

const insecure = (open: readonly Channel[], outcomes: readonly string[]): MusterError =>
  new MusterError('BUG', 'the head does not keep strangers out, so it does not start', {
    why: `with an unknown key the ports for ${open.join(', ')} gave: ${outcomes.join(', ')}`,
    fix: 'report this; on this machine alone, --insecure works without keys',
  });
