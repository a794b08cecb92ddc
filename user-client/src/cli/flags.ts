import type { Endpoint } from '@muster/shared';

/** What a person may say, as text: from the command line, else from the environment. */
export interface Flags {
  readonly task?: string | undefined;
  readonly nodes?: string | undefined;
  readonly size?: string | undefined;
  readonly a?: string | undefined;
  readonly b?: string | undefined;
  readonly out?: string | undefined;
  readonly dtype?: string | undefined;
  readonly grid?: string | undefined;
  readonly seed?: string | undefined;
  readonly count?: string | undefined;
  readonly bytes?: string | undefined;
  readonly batch?: string | undefined;
  readonly window?: string | undefined;
  readonly head?: string | undefined;
  readonly portBase?: string | undefined;
  readonly waitNodes?: string | undefined;
  readonly timeout?: string | undefined;
  readonly durability?: string | undefined;
  readonly blocks?: string | undefined;
  readonly detach?: boolean | undefined;
  readonly json?: boolean | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PRODUCT_ONLY = ['size', 'a', 'b', 'out', 'dtype', 'grid', 'seed'] as const satisfies (keyof Flags)[];
const ECHO_ONLY = ['count', 'bytes', 'batch', 'window'] as const satisfies (keyof Flags)[];
const COMMON = [
  'task',
  'nodes',
  'head',
  'portBase',
  'waitNodes',
  'timeout',
  'durability',
  'blocks',
] as const satisfies (keyof Flags)[];
const SWITCHES = ['detach', 'json'] as const satisfies (keyof Flags)[];

/** portBase: MUSTER_PORT_BASE */
export const variableOf = (flag: keyof Flags): string =>
  `MUSTER_${flag.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/**
 * A flag wins over its variable. A variable that does not fit what the flags say does not count: those of another task, and those
 * that name files when `--size` is given, or the other way round.
 */
export function withEnvironment(flags: Flags, env: Environment): Flags {
  const chosen: Record<string, string | boolean | undefined> = { ...flags };
  const fill = (flag: keyof Flags): void => void (chosen[flag] ??= env[variableOf(flag)] || undefined);
  COMMON.forEach(fill);
  if (chosen['task'] === 'echo') ECHO_ONLY.forEach(fill);
  else PRODUCT_ONLY.filter((flag) => !overruled(flag, flags)).forEach(fill);
  for (const flag of SWITCHES) chosen[flag] ??= isOn(env[variableOf(flag)]);
  return chosen;
}

/** What is said wins over what was joined. */
export function withJoined(flags: Flags, joined: () => Endpoint | null): Flags {
  if (flags.head !== undefined || flags.portBase !== undefined) return flags;
  const endpoint = joined();
  return endpoint === null ? flags : { ...flags, head: endpoint.host, portBase: String(endpoint.portBase) };
}

function overruled(flag: (typeof PRODUCT_ONLY)[number], { size, a, b, detach }: Flags): boolean {
  if (flag === 'out') return detach === true;
  if (flag === 'size') return a !== undefined || b !== undefined;
  return (flag === 'a' || flag === 'b') && size !== undefined;
}

/** As far as can be told before the command line is parsed, which may be what goes wrong. */
export const wantsJson = (args: readonly string[], env: Environment): boolean =>
  args.includes('--json') || isOn(env[variableOf('json')]);

const isOn = (value = ''): boolean => !['', '0', 'false', 'no'].includes(value.toLowerCase());
