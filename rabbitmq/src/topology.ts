/**
 * The broker's topology as data: asserted by the head at every connection, and compared by a test with the definitions that our own broker
 * starts with. Queue types are explicit (a broker's default may differ) and arguments few, so that both 3.10 and 4.x accept them.
 */
import type { ProviderId, TaskId } from '@muster/shared';
import type { Destination } from './backbone.ts';

export interface ExchangeSpec {
  readonly name: string;
  readonly type: 'direct' | 'fanout';
}

export interface Binding {
  readonly exchange: string;
  readonly routingKey: string;
}

export interface QueueSpec {
  readonly name: string;
  readonly arguments: Readonly<Record<string, string | number>>;
  readonly binding: Binding;
}

export type BrokerRole = 'head' | 'provider';

/**
 * The head writes to `tasks`, providers may write to `results` only. Neither has an alternate exchange: that would count as a route, and
 * `mandatory` would never report an unroutable message. Instead the head copies returned messages to `unrouted`, for an operator to
 * inspect.
 */
const TASKS = 'muster.tasks';
const RESULTS = 'muster.results';
const DEAD = 'muster.dead';
export const UNROUTED_EXCHANGE = 'muster.unrouted';

export const exchanges: readonly ExchangeSpec[] = [
  { name: TASKS, type: 'direct' },
  { name: RESULTS, type: 'direct' },
  { name: DEAD, type: 'fanout' },
  { name: UNROUTED_EXCHANGE, type: 'fanout' },
];

/**
 * A disconnect counts as a delivery: after a laptop has slept twenty times the message is dead-lettered, and the head gives the work to
 * another.
 */
const TASK_DELIVERIES_MAX = 20;
/** The head is the only consumer of results: being killed again and again must not make it lose one. */
const RESULT_DELIVERIES_MAX = 1000;
/**
 * Bounds of the queues kept for an operator; the oldest messages go first. Quorum queues of 3.10 keep bodies in memory, and an unrouted
 * message may be a chunk.
 */
const DEAD_BYTES_MAX = 256 * 2 ** 20;
const UNROUTED_BYTES_MAX = 64 * 2 ** 20;
const EVENTS_BYTES_MAX = 2 * 2 ** 30;
/** A stream is truncated by whole segments; with the broker's default of 500 MB it would never be. */
const SEGMENT_BYTES = 64 * 2 ** 20;

const quorum = { 'x-queue-type': 'quorum' } as const;

/** `at-least-once`: a message leaves its queue only once `dead` has confirmed it; this requires `reject-publish`. */
const deadLettering = {
  'x-dead-letter-exchange': DEAD,
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
} as const;

const stream = { 'x-queue-type': 'stream', 'x-stream-max-segment-size-bytes': SEGMENT_BYTES } as const;

const RESULTS_QUEUE: QueueSpec = {
  name: 'results',
  arguments: { ...quorum, ...deadLettering, 'x-delivery-limit': RESULT_DELIVERIES_MAX },
  binding: { exchange: RESULTS, routingKey: 'results' },
};
const DEAD_QUEUE: QueueSpec = {
  name: 'dead',
  arguments: { ...quorum, 'x-max-length-bytes': DEAD_BYTES_MAX },
  binding: { exchange: DEAD, routingKey: '' },
};
const UNROUTED_QUEUE: QueueSpec = {
  name: 'unrouted',
  arguments: { ...quorum, 'x-max-length': 10_000, 'x-max-length-bytes': UNROUTED_BYTES_MAX },
  binding: { exchange: UNROUTED_EXCHANGE, routingKey: '' },
};
const EVENTS_QUEUE: QueueSpec = {
  name: 'events',
  arguments: { ...stream, 'x-max-length-bytes': EVENTS_BYTES_MAX, 'x-max-age': '30D' },
  binding: { exchange: TASKS, routingKey: 'events' },
};

export const staticQueues: readonly QueueSpec[] = [RESULTS_QUEUE, DEAD_QUEUE, UNROUTED_QUEUE, EVENTS_QUEUE];

export const providerQueue = (provider: ProviderId): QueueSpec => taskQueue(`p.${provider}.tasks`);

export const workQueue = (capability: string): QueueSpec => taskQueue(`work.${capability}`);

const taskQueue = (name: string): QueueSpec => ({
  name,
  arguments: { ...quorum, ...deadLettering, 'x-delivery-limit': TASK_DELIVERIES_MAX },
  binding: { exchange: TASKS, routingKey: name },
});

/**
 * Operands, and results of nodes that cannot reach the head. Separate streams, so that a reader of one need not scan the other. The head
 * deletes both with their task. The age limit only bounds what a head that never returns leaves behind: retention is applied when a segment
 * begins, and the last segment always stays.
 */
const taskStream = (name: string, exchange: string): QueueSpec => ({
  name,
  arguments: { ...stream, 'x-max-age': '7D' },
  binding: { exchange, routingKey: name },
});

export const blockStream = (task: TaskId): QueueSpec => taskStream(`t.${task}.blocks`, TASKS);
export const resultStream = (task: TaskId): QueueSpec => taskStream(`t.${task}.results`, RESULTS);
export const streamsOf = (task: TaskId): readonly QueueSpec[] => [blockStream(task), resultStream(task)];

export function queueOf(destination: Destination): QueueSpec {
  switch (destination.to) {
    case 'provider':
      return providerQueue(destination.provider);
    case 'work':
      return workQueue(destination.capability);
    case 'results':
      return RESULTS_QUEUE;
    case 'dead':
      return DEAD_QUEUE;
    case 'events':
      return EVENTS_QUEUE;
    case 'blocks':
      return blockStream(destination.task);
    case 'resultChunks':
      return resultStream(destination.task);
  }
}

/** Chunks of up to a MiB, which have connections of their own. */
export const isBulk = ({ to }: Destination): boolean => to === 'blocks' || to === 'resultChunks';

export interface PolicySpec {
  readonly name: string;
  readonly pattern: string;
  readonly definition: Readonly<Record<string, number>>;
}

/**
 * Deletes the queue of a provider that has been away for two weeks; the head has given its work to others long before. Expiry does not
 * dead-letter.
 */
export const policies: readonly PolicySpec[] = [
  { name: 'departed-providers', pattern: '^p\\..*\\.tasks$', definition: { expires: 14 * 86_400_000 } },
];
