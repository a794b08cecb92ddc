import {
  DEFAULT_PORT_BASE,
  durabilities,
  limits,
  MusterError,
  operandDtypes,
  parseDurationMs,
  parseWhole,
  type Durability,
  type OperandDtype,
} from '@muster/shared';
import type { Flags } from './flags.ts';
import { closestOf } from './closest.ts';

/** Where the head is and how to talk to it. */
export interface Connection {
  readonly host: string;
  readonly portBase: number;
  readonly blocks: 'auto' | 'wire';
}

export interface Terms {
  /** undefined: as many as are ready. */
  readonly nodes: number | undefined;
  readonly waitNodesMs: number;
  readonly timeoutMs: number;
  readonly durability: Durability;
}

export type OperandChoice =
  | { readonly kind: 'random'; readonly size: number; readonly seed: number; readonly dtype: OperandDtype }
  | { readonly kind: 'files'; readonly a: string; readonly b: string; readonly dtype: OperandDtype | undefined };

export interface ProductRun {
  readonly task: 'matrix_mult';
  readonly operands: OperandChoice;
  readonly grid: string;
  readonly out: string | undefined;
}

export interface EchoRun {
  readonly task: 'echo';
  readonly count: number;
  readonly bytes: number | undefined;
  readonly batch: number | undefined;
  readonly window: number | undefined;
}

export interface RunOptions {
  readonly run: ProductRun | EchoRun;
  readonly connection: Connection;
  readonly terms: Terms;
  readonly detach: boolean;
  readonly json: boolean;
}

const TASKS = ['matrix_mult', 'echo'] as const;
const BLOCKS = ['auto', 'wire'] as const;
const DTYPES = operandDtypes as readonly ['float32', 'float64', 'int8'];
const SEED_MAX = 2 ** 32 - 1;
/** The highest of the ports that belong to a base is base + 4. */
const PORT_BASE_MAX = 65_531;
const DEFAULT_WAIT_NODES = '30s';
const DEFAULT_TIMEOUT = '10m';

export function resolveRun(flags: Flags): RunOptions {
  const { detach = false, json = false } = flags;
  if (detach && flags.out !== undefined) {
    throw usage('--detach and --out exclude each other', {
      why: 'a detached task leaves its result on the head',
      fix: 'user-client tasks result ID --out C.npy',
    });
  }
  return { run: resolveTask(flags), connection: resolveConnection(flags), terms: resolveTerms(flags), detach, json };
}

export function resolveConnection({ head = '127.0.0.1', portBase, blocks = 'auto' }: Flags): Connection {
  if (!/^(?:[\w.-]+|[0-9a-fA-F:.%\w]*:[0-9a-fA-F:.%\w]*:[\w.%:]*)$/.test(head)) {
    throw usage('--head needs a name or an IP address', {
      why: `got '${head}'`,
      fix: '--head 192.168.1.20 --port-base 5555',
    });
  }
  return {
    host: head,
    portBase:
      portBase === undefined
        ? DEFAULT_PORT_BASE
        : parseWhole(portBase, '--port-base', [1, PORT_BASE_MAX, DEFAULT_PORT_BASE]),
    blocks: oneOf(blocks, '--blocks', BLOCKS),
  };
}

/** For a command that only waits for an answer: undefined when nothing was said. */
export const resolveTimeoutMs = ({ timeout }: Flags): number | undefined =>
  timeout === undefined ? undefined : timeLimitMs(timeout);

/** Without any time nothing can end well. */
function timeLimitMs(timeout: string): number {
  const ms = parseDurationMs(timeout, '--timeout');
  if (ms > 0) return ms;
  throw usage('--timeout must be more than nothing', { why: `got '${timeout}'`, fix: `--timeout ${DEFAULT_TIMEOUT}` });
}

function resolveTerms({ nodes, waitNodes = DEFAULT_WAIT_NODES, timeout = DEFAULT_TIMEOUT, durability }: Flags): Terms {
  return {
    nodes: wholeOf(nodes, '--nodes', [1, limits.nodesMax.value]),
    waitNodesMs: parseDurationMs(waitNodes, '--wait-nodes'),
    timeoutMs: timeLimitMs(timeout),
    durability: durability === undefined ? 'mirrored' : oneOf(durability, '--durability', durabilities),
  };
}

function resolveTask(flags: Flags): ProductRun | EchoRun {
  if (flags.task === undefined) {
    throw usage('no task is given', {
      why: '--task says what to compute',
      fix: 'user-client --task matrix_mult --nodes 2 --size 1024',
    });
  }
  return oneOf(flags.task, '--task', TASKS) === 'echo' ? resolveEcho(flags) : resolveProduct(flags);
}

function resolveEcho(flags: Flags): EchoRun {
  refuse(flags, ['size', 'a', 'b', 'out', 'dtype', 'grid'], 'echo');
  if (flags.count === undefined) {
    throw usage('--count is missing', { why: 'an echo needs a number of subtasks', fix: '--task echo --count 10000' });
  }
  return {
    task: 'echo',
    count: parseWhole(flags.count, '--count', [1, limits.echoCountMax.value]),
    bytes: wholeOf(flags.bytes, '--bytes', [8, limits.echoBytesMax.value]),
    batch: wholeOf(flags.batch, '--batch', [1, 4096]),
    window: wholeOf(flags.window, '--window', [1, limits.creditBatches.value]),
  };
}

function resolveProduct(flags: Flags): ProductRun {
  refuse(flags, ['count', 'bytes', 'batch', 'window'], 'matrix_mult');
  const { grid = 'auto', out } = flags;
  if (!/^(auto|1d|2d|[1-9]\d{0,3}x[1-9]\d{0,3})$/.test(grid)) {
    throw usage('--grid must be auto, 1d, 2d or ROWSxCOLUMNS', { why: `got '${grid}'`, fix: '--grid 2x2' });
  }
  return { task: 'matrix_mult', operands: resolveOperands(flags), grid, out };
}

function resolveOperands({ size, a, b, seed, dtype }: Flags): OperandChoice {
  const type = dtype === undefined ? undefined : oneOf(dtype, '--dtype', DTYPES);
  if (size !== undefined) {
    if (a !== undefined || b !== undefined) {
      throw usage('--size and --a/--b exclude each other', {
        why: '--size multiplies random matrices, --a and --b multiply files',
        fix: '--size 1024   or   --a A.npy --b B.npy',
      });
    }
    const side = parseWhole(size, '--size', [1, limits.dimensionMax.value]);
    return { kind: 'random', size: side, seed: wholeOf(seed, '--seed', [0, SEED_MAX]) ?? 1, dtype: type ?? 'float32' };
  }
  if (a !== undefined && b !== undefined) return { kind: 'files', a, b, dtype: type };
  const missing = a === undefined && b === undefined ? 'both operands' : `--${a === undefined ? 'a' : 'b'}`;
  throw usage('operands are missing', { why: `${missing} not given`, fix: '--size 1024   or   --a A.npy --b B.npy' });
}

/** Options that would be ignored are more likely a mistake than a wish. */
function refuse(flags: Flags, others: readonly (keyof Flags)[], task: string): void {
  const given = others.find((flag) => flags[flag] !== undefined);
  if (given === undefined) return;
  throw usage(`--${given} does not belong to --task ${task}`, {
    why: `${task} has no such option`,
    fix: `leave --${given} away`,
  });
}

const wholeOf = (text: string | undefined, option: string, range: readonly [number, number]): number | undefined =>
  text === undefined ? undefined : parseWhole(text, option, range);

function oneOf<const T extends string>(text: string, option: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  throw usage(`${option} must be ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`, {
    why: `got '${text}'`,
    fix: `${option} ${closestOf(text, known) ?? known[0]}`,
  });
}

const usage = (what: string, facts: { readonly why: string; readonly fix: string }): MusterError =>
  new MusterError('USAGE', what, facts);
