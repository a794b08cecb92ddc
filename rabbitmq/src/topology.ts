/**
 * What exists in the broker, as data: asserted by the head at every connection, and compared by test with the definitions that a
 * broker of our own starts with. Queue types are always stated (a broker may have another default) and arguments are few, so that
 * 3.10 and 4.x both take them.
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
 * The head writes to `tasks`, providers may write to `results` only. Neither has an alternate exchange: it would count as a route, so
 * that `mandatory` never told the publisher. Instead the head copies what came back to `unrouted`, for people to look at.
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

/** A disconnect counts as a delivery: a laptop that slept twenty times gets this work no more, the head gives it to another. */
const TASK_DELIVERIES_MAX = 20;
/** Nobody else could take a result, so a head that is killed again and again must not lose it. */
const RESULT_DELIVERIES_MAX = 1000;
/** For people to look at; the oldest go first. Quorum queues of 3.10 keep bodies in memory, and what is unrouted may be a chunk. */
const DEAD_BYTES_MAX = 256 * 2 ** 20;
const UNROUTED_BYTES_MAX = 64 * 2 ** 20;
const EVENTS_BYTES_MAX = 2 * 2 ** 30;
/** A stream is cut by whole segments; with the broker's 500 MB it would never be. */
const SEGMENT_BYTES = 64 * 2 ** 20;

const quorum = { 'x-queue-type': 'quorum' } as const;

/** `at-least-once`: a message leaves its queue when `dead` has confirmed it; that needs `reject-publish`. */
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
 * Operands, and results of nodes that cannot reach the head: apart, so that nobody reads the one to find the other. The head deletes both
 * with their task. The age bounds only what a head that never comes back leaves: a stream is looked at when it begins a segment, and
 * the last one always stays.
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

/** Chunks of a MiB, which have a way of their own. */
export const isBulk = ({ to }: Destination): boolean => to === 'blocks' || to === 'resultChunks';

export interface PolicySpec {
  readonly name: string;
  readonly pattern: string;
  readonly definition: Readonly<Record<string, number>>;
}

/** A provider that nobody has heard of for two weeks; the head has long given its work to others. Expiry does not dead-letter. */
export const policies: readonly PolicySpec[] = [
  { name: 'departed-providers', pattern: '^p\\..*\\.tasks$', definition: { expires: 14 * 86_400_000 } },
];
