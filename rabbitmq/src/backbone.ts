/**
 * The durable backbone as Muster sees it. Two implementations pass one conformance suite: RabbitMQ, and an in-memory twin for
 * the tests of what stands on it. Nothing here waits for the broker: publications go into an outbox and out as the broker
 * takes them, so that a broker that is slow, blocked or away costs a running task nothing.
 */
import type { ProviderId, TaskId } from '@muster/shared';

/**
 * connecting  not reached yet since the start
 * up          publishes and consumes
 * blocked     the broker has stopped reading publications (disk or memory alarm) or confirming them (it hangs, or its queues have no
 *             majority); deliveries may still come
 * down        the connection is gone; it is tried again with back-off
 */
export type BackboneState = 'connecting' | 'up' | 'blocked' | 'down';

export interface BackboneStatus {
  readonly state: BackboneState;
  /** Why the state is what it is, for people; empty when up. */
  readonly reason: string;
  /** Messages that the broker has not confirmed, and the age of the oldest; block chunks are not among them. */
  readonly outboxMessages: number;
  readonly outboxBytes: number;
  readonly lagMs: number;
  /** Queues that confirm nothing while others do. What waits for them does not count in `lagMs`: it may wait for ever. */
  readonly muteQueues: number;
  /** Block chunks that the broker has not confirmed. Bulk may take its time: it is no sign of a broker that is slow. */
  readonly blockOutboxBytes: number;
  readonly confirmed: number;
  /** Sent again after a connection was lost. */
  readonly resent: number;
  /** Confirmed by the broker, but no queue took them. */
  readonly unrouted: number;
  /** What nobody could work off, and people may look at: messages in `dead`, as of a second ago. 0 for a provider. */
  readonly dead: number;
  /** Thrown away because the outbox was full; such a task is reported as `local`, never as mirrored. */
  readonly dropped: number;
}

export type Destination =
  /** Quorum queue of one provider. */
  | { readonly to: 'provider'; readonly provider: ProviderId }
  /** Quorum queue that any provider of a capability may take from. */
  | { readonly to: 'work'; readonly capability: string }
  /** Quorum queue that the head takes from. */
  | { readonly to: 'results' }
  /** Quorum queue for what nobody could work off, with its reason. */
  | { readonly to: 'dead' }
  /** Stream of what happened, in order. */
  | { readonly to: 'events' }
  /** Stream of operand chunks of one task. */
  | { readonly to: 'blocks'; readonly task: TaskId }
  /** Stream of result chunks of one task, from nodes that cannot reach the head. */
  | { readonly to: 'resultChunks'; readonly task: TaskId };

export interface Publication {
  readonly destination: Destination;
  /** Message id. The same key published again while it waits in the outbox is one publication. */
  readonly key: string;
  /** The task whose watermark waits for it. */
  readonly task: TaskId;
  /** Frames as on ZeroMQ: message, and its raw frame if it has one. Frozen until confirmed. */
  readonly frames: readonly Uint8Array[];
}

/**
 * confirmed  the broker has it
 * lost       it never will: no queue took it, or the outbox was full
 */
export type PublicationOutcome = 'confirmed' | 'lost';

export type OnSettled = (outcome: PublicationOutcome) => void;

export interface Delivery {
  readonly key: string;
  /** Frames as they were published; views into the received body. */
  readonly frames: readonly Uint8Array[];
  readonly redelivered: boolean;
  /** User of the broker who published it, as the broker has checked; null where the publisher did not say. */
  readonly from: string | null;
  /** Position in a stream; 0 for queues. */
  readonly offset: number;
  /** Done with it; the broker may forget it. Harmless after the connection that it came by is gone: it comes again then. */
  ack(): void;
  /** Nobody can work this off: to `dead`. */
  reject(): void;
}

/** What it throws is logged, and the delivery rejected; of a stream, passed. */
export type OnDelivery = (delivery: Delivery) => void;

/** Goes on through reconnects until it is closed. */
export interface Subscription {
  close(): Promise<void>;
}

export interface QueueSource {
  readonly from: Destination & { readonly to: 'provider' | 'work' | 'results' | 'dead' };
  /** Unacknowledged deliveries that the broker may have with us. */
  readonly prefetch: number;
}

/** What came at this time by the broker's clock, in full seconds, or later; perhaps a little of what came before. */
export interface Since {
  readonly sinceWallMs: number;
}

export interface StreamSource {
  readonly from: Destination & { readonly to: 'events' | 'blocks' | 'resultChunks' };
  /** First offset wanted; after a reconnect it goes on behind the last one delivered. */
  readonly offset: number | Since;
}

export interface Backbone {
  status(): BackboneStatus;
  /** Called at every change of `state`, and once at once. Returns what ends it. */
  onState(listener: (status: BackboneStatus) => void): () => void;

  /**
   * Never waits and never throws for the broker's sake. `onSettled` is called once, after this has returned, and never for what was
   * withdrawn. Throws TOO_LARGE for what no broker takes.
   */
  publish(publication: Publication, onSettled?: OnSettled): void;
  /** Nobody needs these any more: what has not been sent yet leaves the outbox. */
  withdraw(keys: readonly string[]): void;
  /** It confirms nothing while others do: what is published to it waits, and does not delay the rest. */
  isMute(destination: Destination): boolean;
  /** Resolves when nothing of this task is in the outbox: all confirmed, withdrawn or dropped. */
  settled(task: TaskId): Promise<void>;
  /** Publications of this task that were dropped or unrouted: above 0 its mirror is incomplete. */
  lost(task: TaskId): number;
  /** The task has ended and nobody asks for `lost` any more; what comes of its publications later is not counted either. */
  forget(task: TaskId): void;

  /** Queues of this provider exist from here on, at every connection. Only the head declares. */
  admit(provider: ProviderId): void;
  /** Its queue goes, with what is in it. */
  dismiss(provider: ProviderId): void;
  /** The streams of this task exist from here on / go, also those that an earlier life has opened. `onClosed` when the broker says so. */
  openTask(task: TaskId): void;
  closeTask(task: TaskId, onClosed?: () => void): void;

  consume(source: QueueSource, onDelivery: OnDelivery): Subscription;
  read(source: StreamSource, onDelivery: OnDelivery): Subscription;
  /**
   * Hands over what is in the queue, or in the stream up to its present end, then resolves to how many there were.
   * When nothing has come for `withinMs`, because what came before is held or the broker hangs, it ends with what there was so far.
   * Rejects with BACKBONE_DOWN when the broker is not reached within `withinMs`, or does not say what there is; with BACKBONE_REFUSED
   * when it refuses.
   */
  drain(
    source: QueueSource | StreamSource,
    options: { readonly withinMs: number; readonly onDelivery: OnDelivery },
  ): Promise<number>;

  /** What is in the outbox is sent, and what is to be deleted deleted, if the broker does it within `withinMs`; then all is closed. */
  close(options: { readonly withinMs: number }): Promise<void>;
}
