import { channels, type Channel } from '@muster/shared';
import type { Event } from 'zeromq';
import type { Origin } from './peer.ts';

/** One for each channel, of one origin. */
type Watched = { readonly origin: Origin } & Readonly<Record<Channel, { readonly events: AsyncIterable<Event> }>>;
type Failed = (channel: Channel, why: string) => void;

/** What ZAP is not asked about: a peer that speaks no CURVE, or has another head's key. Each ends with its socket. */
export function watchHandshakes(sockets: Watched, failed: Failed): Promise<void>[] {
  if (sockets.origin !== 'encrypted') return [];
  return (Object.keys(channels) as Channel[]).map((channel) => watch(sockets[channel].events, channel, failed));
}

async function watch(events: AsyncIterable<Event>, channel: Channel, failed: Failed): Promise<void> {
  for await (const event of events) {
    if (event.type === 'handshake:error:protocol' || event.type === 'handshake:error:other')
      failed(channel, event.error.code);
  }
}
