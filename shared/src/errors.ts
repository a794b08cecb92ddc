import { exitCode, type ExitCode } from './exit-codes.ts';

interface ErrorKind {
  /** Exit code of a process that this error ends. */
  readonly exit: ExitCode;
  /** May the same call succeed later without anything being changed by the user? */
  readonly retryable: boolean;
  /** One sentence for docs/errors.md. */
  readonly meaning: string;
}

/** Every error a user or a peer can meet. `docs/errors.md` is kept equal to this table by a test. */
export const errorKinds = {
  USAGE: { exit: exitCode.usage, retryable: false, meaning: 'The command line or an option value is not valid.' },
  BAD_DATA: { exit: exitCode.badData, retryable: false, meaning: 'An input file or operand cannot be used as given.' },
  SHAPE_MISMATCH: { exit: exitCode.badData, retryable: false, meaning: 'The operands do not fit each other.' },
  BAD_MODEL: {
    exit: exitCode.badData,
    retryable: false,
    meaning: 'A model description or an ONNX file cannot be used as given.',
  },
  TOO_LARGE: { exit: exitCode.usage, retryable: false, meaning: 'The request is beyond a limit of docs/limits.md.' },
  HEAD_UNREACHABLE: {
    exit: exitCode.headUnreachable,
    retryable: true,
    meaning: 'No head node answers at the address.',
  },
  VERSION_MISMATCH: {
    exit: exitCode.headUnreachable,
    retryable: false,
    meaning: 'The peer speaks another protocol version.',
  },
  UNAUTHORIZED: {
    exit: exitCode.notAuthorised,
    retryable: false,
    meaning: 'This program has not joined the cluster, or the head does not know its key any more.',
  },
  FORBIDDEN: { exit: exitCode.notAuthorised, retryable: false, meaning: 'The role does not allow the request.' },
  WRONG_HEAD: {
    exit: exitCode.notAuthorised,
    retryable: false,
    meaning: 'The head at the address is not the one that the token or the membership names.',
  },
  TOKEN_INVALID: { exit: exitCode.usage, retryable: false, meaning: 'The join token was cut off or mistyped.' },
  TOKEN_REFUSED: {
    exit: exitCode.notAuthorised,
    retryable: false,
    meaning: 'The join token is expired, used up, revoked or unknown to the head.',
  },
  PORT_IN_USE: { exit: exitCode.usage, retryable: false, meaning: 'A port that the head needs is taken.' },
  STATE_IN_USE: { exit: exitCode.usage, retryable: false, meaning: 'Another process holds the state directory.' },
  STATE_CORRUPT: { exit: exitCode.badData, retryable: false, meaning: 'The state directory cannot be read.' },
  NOT_ENOUGH_NODES: {
    exit: exitCode.notEnoughNodes,
    retryable: true,
    meaning: 'Fewer nodes are ready than were asked for.',
  },
  DEVICE_UNAVAILABLE: {
    exit: exitCode.usage,
    retryable: false,
    meaning: 'The requested compute device cannot be used.',
  },
  TIMEOUT: { exit: exitCode.timeout, retryable: true, meaning: 'The task did not end within its time limit.' },
  TASK_CANCELLED: { exit: exitCode.taskFailed, retryable: false, meaning: 'The task was cancelled.' },
  TASK_UNKNOWN: { exit: exitCode.usage, retryable: false, meaning: 'The head knows no task with this id.' },
  TASK_NOT_DONE: {
    exit: exitCode.taskFailed,
    retryable: true,
    meaning: 'The result was asked for before the task was done.',
  },
  RESULT_LOST: {
    exit: exitCode.taskFailed,
    retryable: false,
    meaning: 'The task is done, but its result on the head is damaged or gone.',
  },
  AUDIT_FAILED: {
    exit: exitCode.taskFailed,
    retryable: false,
    meaning: 'Journal, broker and results of a task do not agree.',
  },
  VERIFICATION_FAILED: {
    exit: exitCode.verificationFailed,
    retryable: false,
    meaning: 'No node returned a result that passes the check.',
  },
  DIVERGED: {
    exit: exitCode.taskFailed,
    retryable: false,
    meaning: 'The loss or the weights of a training run are no numbers any more.',
  },
  COMPUTE_FAILED: {
    exit: exitCode.taskFailed,
    retryable: true,
    meaning: 'A compute process failed or died at a subtask.',
  },
  BLOCK_MISSING: { exit: exitCode.taskFailed, retryable: true, meaning: 'A block is not, or no longer, in the store.' },
  QUOTA: {
    exit: exitCode.taskFailed,
    retryable: true,
    meaning: 'The user has as many unfinished tasks, or as much on the disk of the head, as each user may.',
  },
  DISK_FULL: {
    exit: exitCode.taskFailed,
    retryable: true,
    meaning: 'The state directory has no room for the request.',
  },
  BACKBONE_DOWN: {
    exit: exitCode.taskFailed,
    retryable: true,
    meaning: 'The RabbitMQ broker does not answer.',
  },
  BACKBONE_REFUSED: {
    exit: exitCode.usage,
    retryable: false,
    meaning:
      'The address of the RabbitMQ broker is wrong, or it refuses the user, the password or what the user wants to do.',
  },
  PROTOCOL: { exit: exitCode.bug, retryable: false, meaning: 'A peer sent bytes that are not a valid message.' },
  CHECKPOINT_MISMATCH: {
    exit: exitCode.badData,
    retryable: false,
    meaning: 'The checkpoint is of another model, optimizer or format version.',
  },
  INTERRUPTED: { exit: exitCode.interrupted, retryable: true, meaning: 'The user interrupted the command.' },
  BUG: { exit: exitCode.bug, retryable: false, meaning: 'Muster broke one of its own rules; please report it.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

export interface ErrorFacts {
  /** Why, with the value that was seen. */
  readonly why?: string;
  /** The command or step that fixes it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The one error class. Compare by `code`, never by `instanceof`: errors cross processes and realms. */
export class MusterError extends Error {
  readonly code: ErrorCode;
  readonly why: string;
  readonly fix: string;

  constructor(code: ErrorCode, what: string, facts: ErrorFacts = {}) {
    super(what, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'MusterError';
    this.code = code;
    this.why = facts.why ?? '';
    this.fix = facts.fix ?? '';
  }

  get exit(): ExitCode {
    return errorKinds[this.code].exit;
  }

  get retryable(): boolean {
    return errorKinds[this.code].retryable;
  }
}

export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(errorKinds, code);

export function isMusterError(error: unknown): error is MusterError {
  return typeof error === 'object' && error !== null && 'code' in error && 'fix' in error && isErrorCode(error.code);
}

/** An error as it is sent: four short strings. */
export interface WireError {
  readonly code: ErrorCode;
  readonly what: string;
  readonly why: string;
  readonly fix: string;
}

export function toWireError(error: unknown): WireError {
  if (isMusterError(error)) return { code: error.code, what: error.message, why: error.why, fix: error.fix };
  return { code: 'BUG', what: error instanceof Error ? error.message : String(error), why: '', fix: '' };
}

export const fromWireError = ({ code, what, why, fix }: WireError): MusterError =>
  new MusterError(code, what, { why, fix });

/** Three lines: what happened, why with the value seen, the command that fixes it. */
export function describeError(error: MusterError): string {
  const lines = [`error: ${error.message} (${error.code}, exit ${error.exit})`];
  if (error.why !== '') lines.push(`  why: ${error.why}`);
  if (error.fix !== '') lines.push(`  fix: ${error.fix}`);
  return lines.join('\n');
}
