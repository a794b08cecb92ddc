import { channels, type Channel } from '@muster/shared';
import type { Event } from 'zeromq';
import type { Origin } from './peer.ts';

/** The sockets of one origin, by channel. */
type Watched = { readonly origin: Origin } & Readonly<Record<Channel, { readonly events: AsyncIterable<Event> }>>;
type Failed = (channel: Channel, why: string) => void;

/**
 * Reports failed handshakes that never reach ZAP: of peers that do not speak CURVE, or have another head's key. Each loop ends with its
 * socket.
 */
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
