/** Do two programs on this machine see the same files under the same account? Then operands and results need no socket. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { StoreOffer } from '../protocol/messages.ts';
import { writeFileAtomically } from './atomic-file.ts';

/** Longer files are not probes; the path comes from a peer. */
const PROBE_BYTES_MAX = 256;

/** Made once at start, given to every peer: the probe's content is known only to who can read this account's files, and to them. */
export function offerStore(directory: string): StoreOffer {
  const probe = join(directory, 'probe');
  const nonce = randomBytes(16).toString('hex');
  writeFileAtomically(probe, nonce);
  return { directory, probe, nonce };
}

/** Reads the probe and writes beside the incoming files: a peer in a container or under another account can do one at most. */
export function provesShared({ directory, probe, nonce }: StoreOffer): boolean {
  try {
    if (nonce === '' || !isAbsolute(directory) || !isAbsolute(probe)) return false;
    if (statSync(probe).size > PROBE_BYTES_MAX || readFileSync(probe, 'latin1') !== nonce) return false;
    const trial = join(directory, 'incoming', `trial-${randomBytes(8).toString('hex')}`);
    closeSync(openSync(trial, 'wx', 0o600));
    rmSync(trial);
    return true;
  } catch {
    return false;
  }
}
