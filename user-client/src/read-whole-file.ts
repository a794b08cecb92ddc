import { MusterError } from '@muster/shared';
import { readFileSync, statSync } from 'node:fs';
import { fileError } from './file-error.ts';

/** Throws BAD_DATA for a file that cannot be read, TOO_LARGE for one of more than `bytesMax`. */
export function readWholeFile(path: string, bytesMax: number): Uint8Array<ArrayBuffer> {
  const bytes = attempt(path, () => statSync(path).size);
  if (bytes <= bytesMax) return attempt(path, () => new Uint8Array(readFileSync(path)));
  throw new MusterError('TOO_LARGE', `${path} is too large`, {
    why: `it has ${bytes} bytes, the limit is ${bytesMax}`,
    fix: 'see docs/limits.md',
  });
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(error, `${path} cannot be read`);
  }
}
