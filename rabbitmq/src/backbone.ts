/**
 * The durable backbone as Muster sees it. Two implementations pass one conformance suite: RabbitMQ, and an in-memory twin for tests of the
 * code above it. Publishing never waits for the broker: publications go into an outbox that is sent as fast as the broker accepts, so a
 * slow, blocked or absent broker costs a running task nothing.
 */
import type { ProviderId, TaskId } from '@muster/shared';

/**
 * connecting  not reached yet since the start
 * up          publishes and consumes
 * blocked     the broker has stopped reading publications (disk or memory alarm) or confirming them (it hangs, or its queues have no
 *             majority); deliveries may still come
 * down        the connection is lost; reconnecting with back-off
 */
export type BackboneState = 'connecting' | 'up' | 'blocked' | 'down';

export interface BackboneStatus {
  readonly state: BackboneState;
  /** Human-readable reason of the state; empty when up. */
  readonly reason: string;
  /** Unconfirmed messages, their bytes and the age of the oldest; block chunks are not counted. */
  readonly outboxMessages: number;
  readonly outboxBytes: number;
  readonly lagMs: number;
  /** Queues that confirm nothing while others do. Messages waiting for them are left out of `lagMs`: they may wait for ever. */
  readonly muteQueues: number;
  /** Unconfirmed block chunks. A backlog of bulk data does not mean that the broker is slow. */
  readonly blockOutboxBytes: number;
  readonly confirmed: number;
  /** Sent again after a connection was lost. */
  readonly resent: number;
  /** Confirmed by the broker although no queue took them (returned as unroutable). */
  readonly unrouted: number;
  /** Messages in the dead-letter queue `dead`, for an operator to inspect; up to a second old. Always 0 for a provider. */
  readonly dead: number;
  /** Dropped because the outbox was full; the task is then reported as `local`, never as mirrored. */
  readonly dropped: number;
}

export type Destination =
  /** Quorum queue of one provider. */
  | { readonly to: 'provider'; readonly provider: ProviderId }
  /** Quorum queue that any provider of a capability may take from. */
  | { readonly to: 'work'; readonly capability: string }
  /** Quorum queue that the head takes from. */
  | { readonly to: 'results' }
  /** Dead-letter quorum queue: messages that could not be processed, with the reason. */
  | { readonly to: 'dead' }
  /** Stream of events, in order. */
  | { readonly to: 'events' }
  /** Stream of operand chunks of one task. */
  | { readonly to: 'blocks'; readonly task: TaskId }
  /** Stream of result chunks of one task, from nodes that cannot reach the head. */
  | { readonly to: 'resultChunks'; readonly task: TaskId };

export interface Publication {
  readonly destination: Destination;
  /** Message id. Publishing a key that is still in the outbox does not add it again. */
  readonly key: string;
  /** The task whose watermark (`settled`) waits for it. */
  readonly task: TaskId;
  /** Frames as on ZeroMQ: message, and its raw frame if it has one. Frozen until confirmed. */
  readonly frames: readonly Uint8Array[];
}

/**
 * confirmed  the broker has stored it
 * lost       it will not be stored: no queue took it, or the outbox was full
 */
export type PublicationOutcome = 'confirmed' | 'lost';

export type OnSettled = (outcome: PublicationOutcome) => void;

export interface Delivery {
  readonly key: string;
  /** Frames as they were published; views into the received body. */
  readonly frames: readonly Uint8Array[];
  readonly redelivered: boolean;
  /** Broker user that published it (AMQP user-id, validated by the broker); null if the publisher set none. */
  readonly from: string | null;
  /** Position in a stream; 0 for queues. */
  readonly offset: number;
  /** Processed; the broker may forget it. No effect once the connection it came by is gone: it is then redelivered. */
  ack(): void;
  /** Cannot be processed: moves to `dead`, or is skipped if it came from a stream. */
  reject(): void;
}

/** An exception is logged and the delivery rejected. */
export type OnDelivery = (delivery: Delivery) => void;

/** Survives reconnects until it is closed. */
export interface Subscription {
  close(): Promise<void>;
}

export interface QueueSource {
  readonly from: Destination & { readonly to: 'provider' | 'work' | 'results' | 'dead' };
  /** Maximum number of unacknowledged deliveries. */
  readonly prefetch: number;
}

/** Messages from this time on, by the broker's clock in whole seconds; possibly a few earlier ones. */
export interface Since {
  readonly sinceWallMs: number;
}

export interface StreamSource {
  readonly from: Destination & { readonly to: 'events' | 'blocks' | 'resultChunks' };
  /** First offset to read; after a reconnect, reading continues behind the last one delivered. */
  readonly offset: number | Since;
}

export interface Backbone {
  status(): BackboneStatus;
  /** `listener` is called at once and at every change of `state`. Returns the unsubscribe function. */
  onState(listener: (status: BackboneStatus) => void): () => void;

  /**
   * Never waits, and never throws because of the broker's state. `onSettled` is called once, after this has returned, and never for a
   * withdrawn publication. Throws TOO_LARGE for a body over `limits.backboneMessageBytesMax`.
   */
  publish(publication: Publication, onSettled?: OnSettled): void;
  /** No longer needed: they leave the outbox. Those already sent may still arrive. */
  withdraw(keys: readonly string[]): void;
  /** The destination confirms nothing while others do: publications to it wait without delaying the rest. */
  isMute(destination: Destination): boolean;
  /** Resolves when nothing of this task is in the outbox: all confirmed, withdrawn or dropped. */
  settled(task: TaskId): Promise<void>;
  /** Publications of this task that were dropped or unrouted; if above 0, its mirror is incomplete. */
  lost(task: TaskId): number;
  /** The task has ended: its `lost` count is discarded, and later outcomes of its publications are not counted. */
  forget(task: TaskId): void;

  /** Declares this provider's queue, and again at every connection. Only the head declares queues. */
  admit(provider: ProviderId): void;
  /** Deletes its queue with its contents. */
  dismiss(provider: ProviderId): void;
  /** Declare / delete the streams of this task, including those from before a restart. `onClosed` once the broker has deleted them. */
  openTask(task: TaskId): void;
  closeTask(task: TaskId, onClosed?: () => void): void;

  consume(source: QueueSource, onDelivery: OnDelivery): Subscription;
  read(source: StreamSource, onDelivery: OnDelivery): Subscription;
  /**
   * Delivers what is in the queue, or in the stream up to its present end, then resolves to the number of messages. When nothing arrives
   * for `withinMs` (earlier deliveries are still unacknowledged, or the broker hangs) it ends with what it has. Rejects with BACKBONE_DOWN
   * when the broker is not reached within `withinMs` or does not say how much there is, with BACKBONE_REFUSED when it refuses.
   */
  drain(
    source: QueueSource | StreamSource,
    options: { readonly withinMs: number; readonly onDelivery: OnDelivery },
  ): Promise<number>;

  /** Waits up to `withinMs` for the outbox to empty and for pending deletions, then closes everything. */
  close(options: { readonly withinMs: number }): Promise<void>;
}
