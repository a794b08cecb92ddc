/** Do two programs on this machine see the same files under the same account? Then operands and results need no socket. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { StoreOffer } from '../protocol/messages.ts';
import { writeFileAtomically } from './atomic-file.ts';

/** Longer files are not probes; the path comes from a peer. */
const PROBE_BYTES_MAX = 256;

/** Called once at start; every peer gets the offer. A peer that finds `nonce` in the probe file sees the same files. */
export function offerStore(directory: string): StoreOffer {
  const probe = join(directory, 'probe');
  const nonce = randomBytes(16).toString('hex');
  writeFileAtomically(probe, nonce);
  return { directory, probe, nonce };
}

/** Reads the probe and creates a file in `incoming`: a peer in a container or of another account can do at most one of the two. */
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
