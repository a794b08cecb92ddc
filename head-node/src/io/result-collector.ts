/** The PULL sockets: results, failures, and result bytes from providers that cannot write to the store. */
import { isMusterError, type Envelope, type Fields, type Logger, type TaskId } from '@muster/shared';
import type { Pull } from 'zeromq';
import type { HeadCore } from '../core/head-core.ts';
import type { Entrance, Gate } from '../trust/gate.ts';
import type { IncomingResults } from './incoming-results.ts';

export interface CollectorOptions {
  readonly core: Pick<HeadCore, 'state' | 'post' | 'returned'>;
  readonly incoming: IncomingResults;
  readonly gate: Pick<Gate, 'admit' | 'decode'>;
  readonly logger: Logger;
}

export class ResultCollector {
  readonly #options: CollectorOptions;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  async run(socket: Pick<Pull, typeof Symbol.asyncIterator>, entrance: Entrance): Promise<void> {
    for await (const frames of socket) {
      try {
        const envelope = this.#options.gate.decode(entrance, frames);
        this.#options.gate.admit(entrance, envelope);
        this.#collect(envelope);
      } catch (error) {
        if (!isMusterError(error)) this.#options.logger.error({ error }, 'a result broke its handler');
        else this.#options.logger.debug({ code: error.code, why: error.why }, error.message);
      }
    }
    this.#options.incoming.closeAll();
  }

  #collect({ message, payload }: Envelope): void {
    const { core, incoming } = this.#options;
    switch (message.type) {
      case 'result':
        return this.#returned(message, payload);
      case 'resultChunk':
        return this.#write(message, payload ?? new Uint8Array());
      case 'failed':
        if (this.#isHolder(message)) incoming.close(message.lease);
        return core.post(message);
      default:
        this.#options.logger.warn({ type: message.type }, 'a message came on the wrong channel');
    }
  }

  /** Announced bytes may be missing: the head was restarted in between, or a connection broke. */
  #returned(message: Fields<'result'>, payload: Uint8Array | null): void {
    const { core, incoming } = this.#options;
    const isHere = payload !== null || this.#isHere(message);
    if (this.#isHolder(message)) incoming.close(message.lease);
    if (isHere) return core.returned({ ...message, type: 'returned' }, payload);
    const { session, task, lease } = message;
    core.post({ type: 'bytes-missing', session, task, lease });
  }

  /** In a file that the node wrote, or in all of the chunks that it announced. */
  #isHere(message: Fields<'result'>): boolean {
    const { incoming } = this.#options;
    return message.path === '' ? incoming.isWhole(message, message.bytes) : incoming.bytesOf(message) === message.bytes;
  }

  /** Only the provider that holds the lease may write, only as much as it announced, and not while the verifier reads. */
  #write({ session, task, lease, offset, total }: Fields<'resultChunk'>, bytes: Uint8Array): void {
    if (!this.#isHolder({ session, lease }) || this.#options.core.state.leases.get(lease)?.phase === 'checking') return;
    if (offset + bytes.length > total || total > this.#bytesWanted(task, lease)) return;
    this.#options.incoming.write({ task, lease, session }, bytes, offset);
  }

  /** Lease numbers are easily guessed, so only the holder of a lease may change anything about it. */
  #isHolder({ session, lease }: Pick<Fields<'result'>, 'session' | 'lease'>): boolean {
    const { leases, sessions } = this.#options.core.state;
    const provider = leases.get(lease)?.provider;
    return provider !== undefined && provider === sessions.get(session);
  }

  #bytesWanted(task: TaskId, lease: number): number {
    const { state } = this.#options.core;
    const found = state.tasks.get(task);
    const index = state.leases.get(lease)?.indices[0];
    if (found?.run == null || index === undefined) return 0;
    return found.type.resultBytes(found.spec, found.run.plan, index);
  }
}
