import { channels, type Channel } from '@muster/shared';
import type { Event } from 'zeromq';
import type { SocketSet } from '../io/head-sockets.ts';

type Failed = (channel: Channel, why: string) => void;

/** What ZAP is not asked about: a peer that speaks no CURVE, or has another head's key. Each ends with its socket. */
export function watchHandshakes(sockets: SocketSet, failed: Failed): Promise<void>[] {
  if (sockets.origin !== 'encrypted') return [];
  return (Object.keys(channels) as Channel[]).map((channel) => watch(sockets[channel].events, channel, failed));
}

async function watch(events: AsyncIterable<Event>, channel: Channel, failed: Failed): Promise<void> {
  for await (const event of events) {
    if (event.type === 'handshake:error:protocol' || event.type === 'handshake:error:other')
      failed(channel, event.error.code);
  }
}
