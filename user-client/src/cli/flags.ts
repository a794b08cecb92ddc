import { isOn, type Endpoint } from '@muster/shared';

/** Options as text: from the command line, else from the environment. */
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
  readonly model?: string | undefined;
  readonly data?: string | undefined;
  readonly classes?: string | undefined;
  readonly epochs?: string | undefined;
  readonly optimizer?: string | undefined;
  readonly lr?: string | undefined;
  readonly momentum?: string | undefined;
  readonly weightDecay?: string | undefined;
  readonly schedule?: string | undefined;
  readonly warmupSteps?: string | undefined;
  readonly clipNorm?: string | undefined;
  readonly deterministic?: boolean | undefined;
  readonly compress?: string | undefined;
  readonly localSteps?: string | undefined;
  readonly aggregator?: string | undefined;
  readonly checkpointEvery?: string | undefined;
  readonly resume?: string | undefined;
  readonly onnx?: string | undefined;
  readonly input?: string | undefined;
  readonly rowsPerBlock?: string | undefined;
  readonly outputShape?: string | undefined;
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

export const taskNames = ['matrix_mult', 'train', 'infer', 'echo'] as const;
export type TaskName = (typeof taskNames)[number];

/** Options of one task, besides those that every task has. */
export const flagsOfTask = {
  matrix_mult: ['size', 'a', 'b', 'out', 'dtype', 'grid', 'seed'],
  echo: ['count', 'bytes', 'batch', 'window'],
  train: [
    'model',
    'data',
    'classes',
    'epochs',
    'batch',
    'optimizer',
    'lr',
    'momentum',
    'weightDecay',
    'schedule',
    'warmupSteps',
    'clipNorm',
    'seed',
    'deterministic',
    'compress',
    'localSteps',
    'aggregator',
    'checkpointEvery',
    'resume',
    'out',
    'onnx',
  ],
  infer: ['model', 'input', 'out', 'rowsPerBlock', 'outputShape'],
} as const satisfies Record<TaskName, readonly (keyof Flags)[]>;

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

const isTaskName = (task: unknown): task is TaskName => (taskNames as readonly unknown[]).includes(task);

/** portBase: --port-base */
export const optionOf = (flag: keyof Flags): string =>
  `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** portBase: MUSTER_PORT_BASE */
export const variableOf = (flag: keyof Flags): string =>
  `MUSTER_${flag.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/**
 * An option wins over its variable. Variables that do not fit the given options are ignored: those of other tasks, those that name files
 * when `--size` is given and the other way round, and those of output files with `--detach`.
 */
export function withEnvironment(flags: Flags, env: Environment): Flags {
  const chosen: Record<string, string | boolean | undefined> = { ...flags };
  const fill = (flag: keyof Flags): void => void (chosen[flag] ??= valueOf(flag, env[variableOf(flag)]));
  COMMON.forEach(fill);
  const task = isTaskName(chosen['task']) ? chosen['task'] : 'matrix_mult';
  (flagsOfTask[task] as readonly (keyof Flags)[]).filter((flag) => !overruled(flag, flags)).forEach(fill);
  for (const flag of SWITCHES) chosen[flag] ??= isOn(env[variableOf(flag)]);
  return chosen;
}

/** An address given explicitly wins over that of the joined cluster. */
export function withJoined(flags: Flags, joined: () => Endpoint | null): Flags {
  if (flags.head !== undefined || flags.portBase !== undefined) return flags;
  const endpoint = joined();
  return endpoint === null ? flags : { ...flags, head: endpoint.host, portBase: String(endpoint.portBase) };
}

/** An empty variable counts as unset. */
function valueOf(flag: keyof Flags, text: string | undefined): string | true | undefined {
  if (flag === 'deterministic') return isOn(text) || undefined;
  return text || undefined;
}

function overruled(flag: keyof Flags, { size, a, b, detach }: Flags): boolean {
  if (flag === 'out' || flag === 'onnx') return detach === true;
  if (flag === 'size') return a !== undefined || b !== undefined;
  return (flag === 'a' || flag === 'b') && size !== undefined;
}

/** A guess before the command line is parsed, because parsing itself may be what fails. */
export const wantsJson = (args: readonly string[], env: Environment): boolean =>
  args.includes('--json') || isOn(env[variableOf('json')]);
