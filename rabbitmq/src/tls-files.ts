import { MusterError } from '@muster/shared';
import { warnIfExposed } from '@muster/shared/io';
import { readFileSync } from 'node:fs';
import type { BrokerTls } from './broker-access.ts';

/** Paths as on the command line. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Throws USAGE for a file that cannot be read or is not PEM, and for a certificate without a key or a key without a certificate. */
export function readTlsFiles({ ca, cert, key }: TlsFiles, warn?: (line: string) => void): BrokerTls {
  if ((cert === undefined) !== (key === undefined)) throw half(cert === undefined ? '--amqp-cert' : '--amqp-key');
  return {
    ...(ca === undefined ? {} : { ca: pemIn(ca, '--amqp-ca') }),
    ...(cert === undefined ? {} : { cert: pemIn(cert, '--amqp-cert') }),
    ...(key === undefined ? {} : { key: keyIn(key, warn) }),
  };
}

function keyIn(file: string, warn?: (line: string) => void): string {
  const pem = pemIn(file, '--amqp-key');
  warnIfExposed(file, warn);
  return pem;
}

function pemIn(file: string, flag: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
    throw new Error(`${file} is no PEM file`);
  } catch (cause) {
    throw new MusterError('USAGE', `${flag} names a file that cannot be used`, {
      why: cause instanceof Error ? cause.message : file,
      fix: `${flag} with the path of a PEM file`,
      cause,
    });
  }
}

const half = (missing: string): MusterError =>
  new MusterError('USAGE', 'a certificate for the broker needs its key, and a key its certificate', {
    why: `${missing} is missing`,
    fix: '--amqp-cert CERT.pem --amqp-key KEY.pem',
  });
