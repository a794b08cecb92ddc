import {
  DEFAULT_PORT_BASE,
  PORT_BASE_RANGE,
  TIMER_MS_MAX,
  durabilities,
  limits,
  parseDurationMs,
  parseWhole,
  type Durability,
} from '@muster/shared';
import { taskNames, type Flags, type TaskName } from './flags.ts';
import { resolveEcho, type EchoRun } from './options/echo-run.ts';
import { refuseForeign } from './options/foreign-flags.ts';
import { resolveInfer, type InferRun } from './options/infer-run.ts';
import { resolveProduct, type ProductRun } from './options/product-run.ts';
import { resolveTrain, type TrainRun } from './options/train-run.ts';
import { maybeOneOf, oneOf, usage, wholeOf } from './options/values.ts';

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

export type Run = ProductRun | TrainRun | InferRun | EchoRun;

export interface RunOptions {
  readonly run: Run;
  readonly connection: Connection;
  readonly terms: Terms;
  readonly detach: boolean;
  readonly json: boolean;
}

const BLOCKS = ['auto', 'wire'] as const;
const DEFAULT_WAIT_NODES = '30s';
const DEFAULT_TIMEOUT = '10m';
const DEFAULT_TRAINING_TIMEOUT = '24h';
/** Example names of result files by task, for error messages. */
const RESULT_NAMES: Record<TaskName, string> = {
  matrix_mult: 'C.npy',
  train: 'MODEL.safetensors',
  infer: 'Y.npy',
  echo: 'FILE',
};

export function resolveRun(flags: Flags): RunOptions {
  const { detach = false, json = false } = flags;
  const run = resolveTask(flags);
  if (detach && (flags.out !== undefined || flags.onnx !== undefined)) {
    throw usage(`--detach and ${flags.out === undefined ? '--onnx' : '--out'} exclude each other`, {
      why: 'a detached task leaves its result on the head',
      fix: `user-client tasks result ID --out ${RESULT_NAMES[run.task]}`,
    });
  }
  return { run, connection: resolveConnection(flags), terms: resolveTerms(flags), detach, json };
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
        : parseWhole(portBase, '--port-base', [1, PORT_BASE_RANGE[1], DEFAULT_PORT_BASE]),
    blocks: oneOf(blocks, '--blocks', BLOCKS),
  };
}

/** For commands that only query the head: undefined when no timeout is given. */
export const resolveTimeoutMs = ({ timeout }: Flags): number | undefined =>
  timeout === undefined ? undefined : timeLimitMs(timeout);

/** Zero is refused, because nothing could succeed. */
function timeLimitMs(timeout: string): number {
  const ms = parseDurationMs(timeout, '--timeout', TIMER_MS_MAX);
  if (ms > 0) return ms;
  throw usage('--timeout must be more than nothing', { why: `got '${timeout}'`, fix: `--timeout ${DEFAULT_TIMEOUT}` });
}

function resolveTerms({ task, nodes, waitNodes = DEFAULT_WAIT_NODES, timeout, durability }: Flags): Terms {
  const usual = task === 'train' ? DEFAULT_TRAINING_TIMEOUT : DEFAULT_TIMEOUT;
  return {
    nodes: wholeOf(nodes, '--nodes', [1, limits.nodesMax.value]),
    waitNodesMs: parseDurationMs(waitNodes, '--wait-nodes', TIMER_MS_MAX),
    timeoutMs: timeLimitMs(timeout ?? usual),
    durability: maybeOneOf(durability, '--durability', durabilities) ?? 'mirrored',
  };
}

function resolveTask(flags: Flags): Run {
  if (flags.task === undefined) {
    throw usage('no task is given', {
      why: '--task says what to compute',
      fix: 'user-client --task matrix_mult --nodes 2 --size 1024',
    });
  }
  const task = oneOf(flags.task, '--task', taskNames);
  refuseForeign(flags, task);
  return resolvers[task](flags);
}

const resolvers: Record<TaskName, (flags: Flags) => Run> = {
  matrix_mult: resolveProduct,
  train: resolveTrain,
  infer: resolveInfer,
  echo: resolveEcho,
};
