import { isMusterError, MusterError } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import { lookup } from 'node:dns';
import { isIP } from 'node:net';

/** A name that nobody knows looks to ZeroMQ like a head that is away; so it is looked up beside it. */
export class HostName {
  private readonly host: string;
  private fault = '';

  constructor(host: string) {
    this.host = host;
    if (isIP(host) === 0) lookup(host, (error) => (this.fault = error === null ? '' : systemCodeOf(error)));
  }

  /** HEAD_UNREACHABLE that tells so when the name is what is wrong. */
  explain(error: unknown): unknown {
    if (this.fault === '' || !isMusterError(error) || error.code !== 'HEAD_UNREACHABLE') return error;
    return new MusterError('HEAD_UNREACHABLE', `the name '${this.host}' leads nowhere`, {
      why: `looking it up gave ${this.fault}`,
      fix: 'check the spelling of --head, or give an IP address',
      cause: error,
    });
  }
}
