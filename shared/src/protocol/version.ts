import { MusterError } from '../errors.ts';

/** Grows with every change that an older peer cannot read; head and peers compare it at the first message. */
export const PROTOCOL_VERSION = 3;

/** `who` speaks `version`, `whom` this program's; both as the message should name them. */
export const versionMismatch = (version: number, who: string, whom = 'this program'): MusterError =>
  new MusterError('VERSION_MISMATCH', `${who} and ${whom} speak different versions of the protocol`, {
    why: `version ${version} and version ${PROTOCOL_VERSION}`,
    fix: 'install the same version of Muster on every machine',
  });
