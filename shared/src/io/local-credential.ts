/**
 * Credential that a head leaves for programs of its own machine and account, so that they need no token: whoever can read this file could
 * read the head's state as well. The file is named after the head's first port.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { channels, type Channel } from '../protocol/channels.ts';
import { isKey } from '../trust/keys.ts';
import { keyPairSchema, parsePrivate } from './key-file.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { defaultStateDirectory } from './state-directory.ts';

const channelNames = Object.keys(channels) as Channel[];

const schema = z.object({
  headId: z.string(),
  /** CURVE public key of the head; null if its TCP ports are unencrypted (`--insecure`). */
  headKey: z.string().refine(isKey).nullable(),
  keys: keyPairSchema,
  /** Unencrypted sockets in a folder for this account only; null where the system has none. */
  ipc: z.record(z.enum(channelNames as [Channel, ...Channel[]]), z.string()).nullable(),
});
export type LocalCredential = z.infer<typeof schema>;

const fileOf = (portBase: number): string => join(defaultStateDirectory('local'), `${portBase}.json`);

export function leaveLocalCredential(portBase: number, credential: LocalCredential): void {
  writePrivateFile(fileOf(portBase), `${JSON.stringify(credential)}\n`);
}

/** Null when no head of this account has left one. */
export function readLocalCredential(portBase: number): LocalCredential | null {
  const path = fileOf(portBase);
  const text = readPrivateFile(path);
  return text === null ? null : parsePrivate({ path, text, schema });
}

/** Only if this head left it: another may have taken the port meanwhile. */
export function removeLocalCredential(portBase: number, headId: string): void {
  if (readLocalCredential(portBase)?.headId === headId) rmSync(fileOf(portBase), { force: true });
}
