/** The PULL sockets: results, failures, and result bytes from providers that cannot write to the store. */
import { decode, isMusterError, type Envelope, type Fields, type Logger, type TaskId } from '@muster/shared';
import type { Pull } from 'zeromq';
import type { Driver } from '../driver.ts';
import type { Entrance, Gate } from '../trust/gate.ts';
import type { IncomingResults } from './incoming-results.ts';

export interface CollectorOptions {
  readonly driver: Driver;
  readonly incoming: IncomingResults;
  readonly gate: Gate;
  readonly logger: Logger;
}

export class ResultCollector {
  readonly #options: CollectorOptions;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  async run(socket: Pull, entrance: Entrance): Promise<void> {
    for await (const frames of socket) {
      try {
        const envelope = decode(frames);
        this.#options.gate.admit(entrance, envelope);
        this.#collect(envelope);
      } catch (error) {
        if (!isMusterError(error)) this.#options.logger.error({ error }, 'a result broke its handler');
        else this.#options.logger.warn({ code: error.code, why: error.why }, error.message);
      }
    }
    this.#options.incoming.closeAll();
  }

  #collect({ message, payload }: Envelope): void {
    const { driver, incoming } = this.#options;
    switch (message.type) {
      case 'result':
        incoming.close(message.lease);
        return this.#returned(message, payload);
      case 'resultChunk':
        return this.#write(message, payload ?? new Uint8Array());
      case 'failed':
        incoming.close(message.lease);
        return driver.post(message);
      default:
        this.#options.logger.warn({ type: message.type }, 'a message came on the wrong channel');
    }
  }

  /** Bytes that were announced may be gone: the head was restarted in between. */
  #returned(message: Fields<'result'>, payload: Uint8Array | null): void {
    const { driver, incoming } = this.#options;
    if (payload !== null || incoming.bytesOf(message) === message.bytes)
      return driver.returned({ ...message, type: 'returned' }, payload);
    const { session, task, lease } = message;
    driver.post({ type: 'bytes-missing', session, task, lease });
  }

  /** Only the provider that holds the lease may write, only as much as it announced, and not while the verifier reads. */
  #write({ session, task, lease, offset, total }: Fields<'resultChunk'>, bytes: Uint8Array): void {
    const { state } = this.#options.driver;
    const held = state.leases.get(lease);
    if (held === undefined || held.phase === 'checking' || state.sessions.get(session) !== held.provider) return;
    if (offset + bytes.length > total || total > this.#bytesWanted(task, lease)) return;
    this.#options.incoming.write({ task, lease }, bytes, offset);
  }

  #bytesWanted(task: TaskId, lease: number): number {
    const { state } = this.#options.driver;
    const found = state.tasks.get(task);
    const index = state.leases.get(lease)?.indices[0];
    if (found?.run == null || index === undefined) return 0;
    return found.type.resultBytes(found.spec, found.run.plan, index);
  }
}
