import { z } from 'zod';
import { MusterError } from '../errors.ts';
import { isKey, newKeyPair, type KeyPair } from '../trust/keys.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const key = z.string().refine(isKey);
export const keyPairSchema = z.object({ publicKey: key, secretKey: key });

/** The key pair in this file (mode 0600), created if there is none. Throws STATE_CORRUPT, and USAGE if others can read the file. */
export function loadKeyPair(path: string): KeyPair {
  const text = readPrivateFile(path);
  if (text !== null) return parsePrivate({ path, text, schema: keyPairSchema });
  const fresh = newKeyPair();
  writePrivateFile(path, `${JSON.stringify(fresh)}\n`);
  return fresh;
}

/** Throws STATE_CORRUPT. */
export function parsePrivate<T>({ path, text, schema }: PrivateJson<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MusterError('STATE_CORRUPT', `${path} cannot be read`, {
      why: cause instanceof SyntaxError ? cause.message : 'it has not the fields that belong there',
      fix: `restore it from a backup, or delete it and join again`,
      cause,
    });
  }
}

interface PrivateJson<T> {
  readonly path: string;
  readonly text: string;
  readonly schema: z.ZodType<T>;
}
