/**
 * Result bytes that a node left in a stream of the task because it could not reach the head; the stream is read once, from its start.
 * Chunks come in order; those that the node repeats after a reconnect are recognised by their offset. Only chunks from the broker user that
 * announced the result belong to it.
 */
import { decode, limits, type Fields, type Logger, type TaskId } from '@muster/shared';
import { streamedResultPath, writePieces } from '@muster/shared/io';
import type { Backbone, Delivery, Subscription } from '@muster/rabbitmq';
import { closeSync, openSync, renameSync, rmSync } from 'node:fs';

export interface StreamedResultsPorts {
  readonly backbone: Backbone;
  readonly incomingPath: (task: TaskId, lease: number) => string;
  readonly logger: Logger;
  /** May the bytes of this lease be moved into place? Not while another result of it is being checked. */
  readonly isFree: (lease: number) => boolean;
  readonly onWhole: (result: Fields<'delivered'>) => void;
}

type From = Delivery['from'];

interface Received {
  readonly bytes: number;
  readonly from: From;
}

interface Wanted {
  readonly result: Fields<'delivered'>;
  readonly from: From;
}

interface TaskStream {
  readonly subscription: Subscription;
  /** Bytes that came, by lease. */
  readonly received: Map<number, Received>;
  readonly wanted: Map<number, Wanted>;
}

export class StreamedResults {
  readonly #ports: StreamedResultsPorts;
  readonly #streams = new Map<TaskId, TaskStream>();

  constructor(ports: StreamedResultsPorts) {
    this.#ports = ports;
  }

  want(result: Fields<'delivered'>, from: From): void {
    const stream = this.#streamOf(result.task);
    stream.wanted.set(result.lease, { result, from });
    this.#handIfWhole(stream, result.lease);
  }

  end(task: TaskId): void {
    const stream = this.#streams.get(task);
    if (stream === undefined) return;
    void stream.subscription.close();
    for (const lease of stream.received.keys()) rmSync(this.#partOf(task, lease), { force: true });
    this.#streams.delete(task);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#streams.values()].map(({ subscription }) => subscription.close()));
    this.#streams.clear();
  }

  #streamOf(task: TaskId): TaskStream {
    const known = this.#streams.get(task);
    if (known !== undefined) return known;
    const from = { to: 'resultChunks', task } as const;
    const subscription = this.#ports.backbone.read({ from, offset: 0 }, (delivery) => this.#take(task, delivery));
    const stream: TaskStream = { subscription, received: new Map(), wanted: new Map() };
    this.#streams.set(task, stream);
    return stream;
  }

  #take(task: TaskId, delivery: Delivery): void {
    delivery.ack();
    const { message, payload } = decode(delivery.frames);
    const stream = this.#streams.get(task);
    if (message.type !== 'streamedChunk' || message.task !== task || payload === null || stream === undefined) return;
    try {
      if (!this.#isNext(stream.received.get(message.lease), message, { bytes: payload.length, from: delivery.from }))
        return;
      this.#write(message, payload);
      stream.received.set(message.lease, { bytes: message.offset + payload.length, from: delivery.from });
      this.#handIfWhole(stream, message.lease);
    } catch (error) {
      this.#ports.logger.warn({ error, task, lease: message.lease }, 'a result from the broker cannot be kept');
    }
  }

  /** Another user of the broker may have begun under this lease: its chunks are dropped when the rightful user starts at offset 0. */
  #isNext(before: Received | undefined, { offset, total }: Fields<'streamedChunk'>, chunk: Received): boolean {
    if (offset + chunk.bytes > total || total > limits.operandBytesMax.value) return false;
    if (before === undefined || before.from !== chunk.from) return offset === 0;
    return offset === before.bytes;
  }

  /** Not the file that chunks over ZeroMQ are written to. */
  #partOf(task: TaskId, lease: number): string {
    return streamedResultPath(this.#ports.incomingPath(task, lease));
  }

  #write({ task, lease, offset }: Fields<'streamedChunk'>, bytes: Uint8Array): void {
    const file = openSync(this.#partOf(task, lease), offset === 0 ? 'w' : 'r+', 0o600);
    try {
      writePieces(file, bytes, offset);
    } finally {
      closeSync(file);
    }
  }

  #handIfWhole(stream: TaskStream, lease: number): void {
    const { result, from } = stream.wanted.get(lease) ?? {};
    const received = stream.received.get(lease);
    if (result === undefined || received === undefined || received.from !== from || received.bytes < result.bytes)
      return;
    stream.wanted.delete(lease);
    if (!this.#ports.isFree(lease)) return;
    renameSync(this.#partOf(result.task, lease), this.#ports.incomingPath(result.task, lease));
    // The result may be sent and announced again.
    stream.received.delete(lease);
    this.#ports.onWhole(result);
  }
}
