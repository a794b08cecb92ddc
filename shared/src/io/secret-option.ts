/**
 * Options that are secrets. They come from the environment, from a file that a variable names, or, with a warning, from the command line,
 * which every account of the machine can read.
 */
import { readFileSync, statSync } from 'node:fs';
import { MusterError } from '../errors.ts';
import { masked } from '../secrets.ts';

export interface SecretOption {
  /** Environment variable. With the suffix `_FILE` it names a file that holds the secret. */
  readonly variable: string;
  /** Command-line flag; '' if there is none. */
  readonly flag: string;
  /** As messages name it: 'the URL of the broker'. */
  readonly what: string;
}

export interface SecretSurroundings {
  readonly env?: NodeJS.ProcessEnv;
  /** Receives warnings. Default: standard error. */
  readonly warn?: (line: string) => void;
}

export const fileVariable = ({ variable }: SecretOption): string => `${variable}_FILE`;

/**
 * `given` (from the command line or the variable), else the content of the file; null for none. The variable is removed from the
 * environment, which child processes inherit. Throws USAGE when the file cannot be read.
 */
export function takeSecret(
  given: string | undefined,
  option: SecretOption,
  { env = process.env, warn = toStderr }: SecretSurroundings = {},
): string | null {
  const isFromEnvironment = given === env[option.variable];
  delete env[option.variable];
  if (given !== undefined && given !== '') {
    if (!isFromEnvironment && masked(given) !== given) warn(shownToAll(option));
    return given;
  }
  const file = env[fileVariable(option)] ?? '';
  return file === '' ? null : readSecretFile(file, option, warn);
}

/** Trimmed. Throws USAGE when it cannot be read. */
export function readSecretFile(file: string, option: SecretOption, warn: (line: string) => void = toStderr): string {
  try {
    warnIfExposed(file, warn);
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new MusterError('USAGE', `${fileVariable(option)} names a file that cannot be read`, {
      why: cause instanceof Error ? cause.message : file,
      fix: `write ${option.what} into the file, or set ${option.variable}`,
      cause,
    });
  }
}

const OTHERS = 0o077;

/** Only a warning, because it is the user's file; those that Muster writes itself are refused (`readPrivateFile`). */
export function warnIfExposed(file: string, warn: (line: string) => void = toStderr): void {
  const mode = statSync(file).mode & 0o777;
  if (process.platform === 'win32' || (mode & OTHERS) === 0) return;
  warn(`${file} holds a secret, and other accounts may read it (mode ${mode.toString(8)}): chmod 600 ${file}`);
}

const shownToAll = (option: SecretOption): string =>
  `${option.flag} shows its password to every account of this machine: use ${option.variable} or ${fileVariable(option)}`;

function toStderr(line: string): void {
  process.stderr.write(`warning: ${line}\n`);
}
