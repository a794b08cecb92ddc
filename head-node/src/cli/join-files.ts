import { isMusterError, limits, readJoinToken, type Role } from '@muster/shared';
import { systemCodeOf, writePrivateFile } from '@muster/shared/io';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Administration } from '../trust/administration.ts';
import { LOCAL_PEER } from '../trust/peer.ts';

/**
 * Writes join tokens for programs that are started along with the head and may come back long after: `provider/token` for providers,
 * `client/token` for clients, with the role admin. The second is readable for any account: in a container a client runs as the owner of the
 * files that it reads, and whoever may start it could read the head's files as well. Tokens of the previous start are revoked.
 */
export function writeJoinFiles(administration: Administration, directory: string): void {
  const terms = { ttlMs: String(30 * 24 * 3_600_000), uses: String(limits.tokenUsesMax.value) };
  const line = (role: Role): string => `${administration.createToken(LOCAL_PEER, { ...terms, role }).token}\n`;
  const fileOf = (program: string): string => join(directory, program, 'token');
  for (const program of ['provider', 'client']) revokeTokenIn(fileOf(program), administration);
  writePrivateFile(fileOf('provider'), line('provider'));
  writeFileSync(fileOf('client'), line('admin'), { mode: 0o644 });
}

/** Does nothing where there is no file, or a token that the head does not know any more. */
function revokeTokenIn(path: string, administration: Administration): void {
  try {
    const { id } = readJoinToken(readFileSync(path, 'utf8').trim());
    administration.answer(LOCAL_PEER, { action: 'token-revoke', arguments: { id } });
  } catch (error) {
    if (!isMusterError(error) && systemCodeOf(error) !== 'ENOENT') throw error;
  }
}
