import { isMusterError, MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** A name that nobody knows looks to ZeroMQ like a head that is away; so it is looked up beside it. */
export class HostName {
  readonly #host: string;
  #fault = '';
  readonly #lookedUp: Promise<void>;

  constructor(host: string) {
    this.#host = host;
    this.#lookedUp = isIP(host) === 0 ? this.#lookUp() : Promise.resolve();
  }

  async #lookUp(): Promise<void> {
    try {
      await lookup(this.#host);
    } catch (error) {
      this.#fault = systemCodeOf(error);
    }
  }

  /** HEAD_UNREACHABLE that tells so when the name is what is wrong. */
  async explain(error: unknown): Promise<unknown> {
    if (!isMusterError(error) || !['HEAD_UNREACHABLE', 'UNAUTHORIZED'].includes(error.code)) return error;
    // Who has not joined is told so at once, before the name is looked up.
    if (error.code === 'UNAUTHORIZED') await this.#lookedUp;
    if (this.#fault === '') return error;
    return new MusterError('HEAD_UNREACHABLE', `the name '${this.#host}' leads nowhere`, {
      why: `looking it up gave ${this.#fault}`,
      fix: 'check the spelling of --head, or give an IP address',
      cause: error,
    });
  }
}
