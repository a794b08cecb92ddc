import { readFileSync } from 'node:fs';
import { MusterError } from '../errors.ts';

/**
 * The broker's URL: what `--amqp` or AMQP_URL says, else what is in the file that AMQP_URL_FILE names; null for none. It holds a
 * password, so it leaves the environment, which child processes inherit. Throws USAGE when the file cannot be read.
 */
export function takeBrokerUrl(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string | null {
  const file = env['AMQP_URL_FILE'] ?? '';
  delete env['AMQP_URL'];
  if (given !== undefined && given !== '') return given;
  return file === '' ? null : readSecret(file);
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new MusterError('USAGE', 'AMQP_URL_FILE names a file that cannot be read', {
      why: cause instanceof Error ? cause.message : file,
      fix: 'write the URL of the broker into the file, or give it with AMQP_URL',
      cause,
    });
  }
}
