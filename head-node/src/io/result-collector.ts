/** The PULL socket: results, failures, and result bytes from providers that cannot write to the store. */
import {
  decode,
  isMusterError,
  MusterError,
  toWireError,
  type Envelope,
  type Fields,
  type Logger,
  type TaskId,
} from '@muster/shared';
import { incomingResultName, writePieces, type BlockStore } from '@muster/shared/io';
import { closeSync, openSync, statSync } from 'node:fs';
import type { Pull } from 'zeromq';
import type { Driver } from '../driver.ts';

export interface CollectorOptions {
  readonly driver: Driver;
  readonly blocks: BlockStore;
  readonly logger: Logger;
}

export class ResultCollector {
  readonly #options: CollectorOptions;
  /** Files of results that are still coming in, by lease. */
  readonly #open = new Map<number, number>();

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  async run(socket: Pull): Promise<void> {
    for await (const frames of socket) {
      try {
        this.#collect(decode(frames));
      } catch (error) {
        if (!isMusterError(error)) this.#options.logger.error({ error }, 'a result broke its handler');
        else this.#options.logger.warn({ code: error.code, why: error.why }, error.message);
      }
    }
    for (const file of this.#open.values()) closeSync(file);
  }

  #collect({ message, payload }: Envelope): void {
    const { driver } = this.#options;
    switch (message.type) {
      case 'result':
        this.#close(message.lease);
        return this.#returned(message, payload);
      case 'resultChunk':
        return this.#write(message, payload ?? new Uint8Array());
      case 'failed':
        this.#close(message.lease);
        return driver.post(message);
      default:
        this.#options.logger.warn({ type: message.type }, 'a message came on the wrong channel');
    }
  }

  /** Bytes that were announced and are not there (the head was restarted in between) are a failure, not a wrong result. */
  #returned(message: Fields<'result'>, payload: Uint8Array | null): void {
    const { driver, blocks } = this.#options;
    const path = blocks.incomingPath(incomingResultName(message.task, message.lease));
    if (payload !== null || statSync(path, { throwIfNoEntry: false })?.size === message.bytes)
      return driver.returned({ ...message, type: 'returned' }, payload);
    const { session, task, lease } = message;
    const error = toWireError(
      new MusterError('COMPUTE_FAILED', 'the bytes of a result are missing', {
        why: `expected ${message.bytes} bytes`,
      }),
    );
    driver.post({ type: 'failed', session, task, lease, error });
  }

  /** Only the provider that holds the lease may write, and only as much as it announced. */
  #write({ session, task, lease, offset, total }: Fields<'resultChunk'>, bytes: Uint8Array): void {
    const { state } = this.#options.driver;
    const holder = state.leases.get(lease)?.provider;
    if (holder === undefined || state.sessions.get(session) !== holder) return;
    if (offset + bytes.length > total || total > this.#bytesWanted(task, lease)) return;
    writePieces(this.#fileOf(task, lease), bytes, offset);
  }

  #bytesWanted(task: TaskId, lease: number): number {
    const { state } = this.#options.driver;
    const found = state.tasks.get(task);
    const index = state.leases.get(lease)?.indices[0];
    if (found?.run == null || index === undefined) return 0;
    return found.type.resultBytes(found.spec, found.run.plan, index);
  }

  #fileOf(task: TaskId, lease: number): number {
    const known = this.#open.get(lease);
    if (known !== undefined) return known;
    const file = openSync(this.#options.blocks.incomingPath(incomingResultName(task, lease)), 'w', 0o600);
    this.#open.set(lease, file);
    return file;
  }

  #close(lease: number): void {
    const file = this.#open.get(lease);
    if (file === undefined) return;
    this.#open.delete(lease);
    closeSync(file);
  }
}
