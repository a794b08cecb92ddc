/** A certificate authority for TLS tests, made with the `openssl` program. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: string;
  /** For 127.0.0.1. */
  readonly server: Certificate;
  /** Client certificate with the common name `head`. */
  readonly client: Certificate;
  /** Another authority, which has signed none of these. */
  readonly otherCa: string;
}

const SERVER = 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n';
const CLIENT = 'extendedKeyUsage=clientAuth\n';
const AUTHORITY = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n';

export const hasOpenssl = (): boolean => spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;

/** Valid for two days. */
export function makeCertificates(directory: string): Certificates {
  const ca = authority(directory, 'ca');
  return {
    ca: ca.cert,
    server: signed(directory, { name: 'server', commonName: '127.0.0.1', extensions: SERVER }, ca),
    client: signed(directory, { name: 'client', commonName: 'head', extensions: CLIENT }, ca),
    otherCa: authority(directory, 'other-ca').cert,
  };
}

interface CertificateRequest {
  readonly name: string;
  readonly commonName: string;
  readonly extensions: string;
}

function authority(directory: string, name: string): Certificate {
  return signed(directory, { name, commonName: name, extensions: AUTHORITY }, null);
}

/** Self-signed if `ca` is null. */
function signed(
  directory: string,
  { name, commonName, extensions }: CertificateRequest,
  ca: Certificate | null,
): Certificate {
  const [cert, key, request, options] = ['pem', 'key', 'csr', 'ext'].map((end) =>
    join(directory, `${name}.${end}`),
  ) as [string, string, string, string];
  writeFileSync(options, extensions);
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key);
  openssl('req', '-new', '-key', key, '-subj', `/CN=${commonName}`, '-out', request);
  const signer = ca === null ? ['-signkey', key] : ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'];
  openssl('x509', '-req', '-in', request, ...signer, '-days', '2', '-extfile', options, '-out', cert);
  return { cert, key };
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
