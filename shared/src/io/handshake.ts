import { deferred } from '../deferred.ts';
import { MusterError } from '../errors.ts';
import { systemCodeOf } from './disk-errors.ts';
import { isStranger, type CurveOptions } from './head-route.ts';

/** The fields of a ZeroMQ socket event that tell why a connection failed. */
export interface SocketEvent {
  readonly type: string;
  readonly error?: object;
}

/** Aborted handshakes that show a head to have another key; one that dies in mid-handshake looks the same once. */
const BROKEN_OFF_MAX = 3;

/** Turns a socket's handshake events into the error to report. One instance per socket. */
export class HandshakeWatch {
  readonly #address: string;
  readonly #encrypted: boolean;
  readonly #stranger: boolean;
  #brokenOff = 0;

  constructor(address: string, curve: CurveOptions | null) {
    this.#address = address;
    this.#encrypted = curve !== null;
    this.#stranger = isStranger(curve);
  }

  /** Null while the connection may still succeed. After a refusal the socket is unusable: ZeroMQ may not retry. */
  refusal({ type, error }: SocketEvent): MusterError | null {
    switch (type) {
      case 'handshake':
        this.#brokenOff = 0;
        return null;
      case 'handshake:error:auth':
        return unknownKey(this.#address);
      case 'handshake:error:protocol':
        if (systemCodeOf(error) !== 'ERR_ZMTP_MECHANISM_MISMATCH') return null;
        return this.#wrongHead('it encrypts nothing');
      case 'handshake:error:other':
        this.#brokenOff += 1;
        if (!this.#encrypted || this.#brokenOff < BROKEN_OFF_MAX) return null;
        return this.#wrongHead(
          'it broke off the handshake: it has another key, or takes no more connections from this address for now',
        );
      default:
        return null;
    }
  }

  #wrongHead(why: string): MusterError {
    return this.#encrypted && !this.#stranger ? wrongHead(this.#address, why) : keyWanted(this.#address);
  }
}

/**
 * How the first handshake of a socket ends: 'handshake', or the kind of its failure; 'nothing' if the socket is closed before.
 *
 * The events are read to their end, which comes when the socket is closed. ZeroMQ's thread waits for whoever reads them: once a reader that
 * stopped early is collected as garbage, it waits forever, and no socket of the process closes any more.
 */
export function firstHandshake<E extends SocketEvent>(events: AsyncIterable<E>): Promise<E['type'] | 'nothing'> {
  const { promise, resolve, reject } = deferred<E['type'] | 'nothing'>();
  const read = async (): Promise<void> => {
    for await (const { type } of events) if (type.startsWith('handshake')) resolve(type);
    resolve('nothing');
  };
  read().catch(reject);
  return promise;
}

const JOIN = "on the head's machine: head-node token create; then paste the line that it prints here";

const unknownKey = (address: string): MusterError =>
  new MusterError('UNAUTHORIZED', `the head at ${address} does not let this program in`, {
    why: 'its key is not enrolled, not approved yet, or revoked',
    fix: JOIN,
  });

const keyWanted = (address: string): MusterError =>
  new MusterError('UNAUTHORIZED', `the head at ${address} lets in only who has joined`, {
    why: 'this program has no key for it, and the head runs under another account or on another machine',
    fix: JOIN,
  });

const wrongHead = (address: string, why: string): MusterError =>
  new MusterError('WRONG_HEAD', `the head at ${address} is not the one that was joined`, {
    why,
    fix: 'check --head and --port-base; if the head was set up anew, join it with a new token',
  });
