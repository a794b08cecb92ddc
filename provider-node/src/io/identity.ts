/** A provider keeps its id for life, so that the head recognises it after a restart. */
import { isProviderId, type ProviderId } from '@muster/shared';
import { makeStateDirectory, writeFileAtomically } from '@muster/shared/io';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function loadIdentity(stateDirectory: string): ProviderId {
  makeStateDirectory(stateDirectory);
  const file = join(stateDirectory, 'identity');
  const known = readIfThere(file);
  if (isProviderId(known)) return known;
  const fresh = randomBytes(8).toString('hex') as ProviderId;
  writeFileAtomically(file, `${fresh}\n`);
  return fresh;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
