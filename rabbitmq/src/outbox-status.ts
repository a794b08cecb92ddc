import type { BackboneStatus } from './backbone.ts';
import type { Lane } from './lane.ts';

/** Counters of the message lane and of the block-chunk lane, combined. */
export function outboxStatus(
  messages: Lane,
  blocks: Lane | undefined,
): Omit<BackboneStatus, 'state' | 'reason' | 'dead'> {
  const total = messages.outbox.counts;
  const bulk = blocks?.outbox.counts;
  return {
    outboxMessages: messages.outbox.messages,
    outboxBytes: messages.outbox.bytes,
    lagMs: messages.lagMs,
    muteQueues: messages.outbox.muteQueues,
    blockOutboxBytes: blocks?.outbox.bytes ?? 0,
    confirmed: total.confirmed + (bulk?.confirmed ?? 0),
    resent: total.resent + (bulk?.resent ?? 0),
    unrouted: total.unrouted + (bulk?.unrouted ?? 0),
    dropped: total.dropped + (bulk?.dropped ?? 0),
  };
}
