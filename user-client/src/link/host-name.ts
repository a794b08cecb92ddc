import { isMusterError, MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** To ZeroMQ an unknown host name looks like a head that is away, so the name is also looked up here. */
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

  /** The error, or HEAD_UNREACHABLE with the reason if the name cannot be resolved. */
  async explain(error: unknown): Promise<unknown> {
    if (!isMusterError(error) || !['HEAD_UNREACHABLE', 'UNAUTHORIZED'].includes(error.code)) return error;
    // UNAUTHORIZED for want of a membership comes at once, before the lookup has ended.
    if (error.code === 'UNAUTHORIZED') await this.#lookedUp;
    if (this.#fault === '') return error;
    return new MusterError('HEAD_UNREACHABLE', `the name '${this.#host}' leads nowhere`, {
      why: `looking it up gave ${this.#fault}`,
      fix: 'check the spelling of --head, or give an IP address',
      cause: error,
    });
  }
}
