/**
 * A child process that answers calls over its standard input and output. Native code that blocks or may crash runs in one: when it dies,
 * calls reject and `ended` resolves, and the program goes on.
 *
 * Both ends are one program at one version, so frames are trusted to carry the right types. The child must not print to standard output.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fromWireError, MusterError, toWireError, type WireError } from '../errors.ts';
import { frameOf, readFrames } from './frames.ts';

/** What a child can be asked, by name. */
export type Calls = Record<string, { readonly ask: unknown; readonly answer: unknown }>;

/** The child's handlers, one per call. */
export type CallHandlers<C extends Calls> = {
  readonly [Name in keyof C]: (ask: C[Name]['ask']) => C[Name]['answer'] | Promise<C[Name]['answer']>;
};

export interface FramedProcessOptions {
  /** The compiled script; `serveFrames` is called in it. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names it in errors: `verify` gives `the verify process ended`. */
  readonly title: string;
  /** Lines that the child writes to standard error; the last one is part of the reason when it dies. */
  readonly onStderr?: (line: string) => void;
}

export interface FramedProcess<C extends Calls> {
  readonly pid: number;
  /** False once its end was noticed: every call from then on rejects. */
  readonly alive: boolean;
  /**
   * Sent at the end of the turn, answered in the order of the calls. Rejects with the error of the child's handler, or with COMPUTE_FAILED
   * when the child dies.
   */
  call<Name extends keyof C & string>(name: Name, ask: C[Name]['ask']): Promise<C[Name]['answer']>;
  /** Resolves, never rejects, with the reason: `killed by SIGKILL`, `ended with 3: <its last line>`, or what `kill` was told. */
  readonly ended: Promise<string>;
  /** SIGKILL, which also ends a native call. */
  kill(because?: string): void;
  /** Lets earlier calls finish; kills the child after the grace time, with the reason `stopped`. */
  stop(graceMs?: number): Promise<void>;
}

type CallFrame = readonly [id: number, name: string, ask: unknown];
type AnswerFrame = readonly [id: number, error: WireError | null, answer: unknown];

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const STOP_GRACE_MS = 2000;
const LAST_WORDS_MAX = 200;

export function startFramedProcess<C extends Calls>(options: FramedProcessOptions): FramedProcess<C> {
  const child = spawn(process.execPath, [options.script, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
  return new Caller<C>(child, options);
}

class Caller<C extends Calls> implements FramedProcess<C> {
  readonly ended: Promise<string>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #title: string;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #lastLine = '';
  #killedBecause = '';
  #end = '';

  constructor(child: ChildProcessWithoutNullStreams, { title, onStderr }: FramedProcessOptions) {
    this.#child = child;
    this.#title = title;
    this.ended = new Promise((resolve) => this.#watch(resolve));
    readFrames(child.stdout, {
      onFrame: (frame) => this.#settle(frame as AnswerFrame),
      onGarbage: () => this.kill('it wrote to standard output what is no frame'),
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lastLine = line.trim() || this.#lastLine;
      onStderr?.(line);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#end === '';
  }

  call<Name extends keyof C & string>(name: Name, ask: C[Name]['ask']): Promise<C[Name]['answer']> {
    if (this.#end !== '') return Promise.reject(this.#death());
    const id = (this.#lastId += 1);
    const answered = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#write(frameOf([id, name, ask] satisfies CallFrame));
    return answered;
  }

  /** Frames of one turn are written together: each write costs a system call and wakes the child. */
  #write(frame: Buffer): void {
    const { stdin } = this.#child;
    if (stdin.writableCorked === 0) {
      stdin.cork();
      process.nextTick(() => stdin.uncork());
    }
    stdin.write(frame);
  }

  kill(because = ''): void {
    this.#killedBecause ||= because;
    this.#child.kill('SIGKILL');
  }

  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.kill('stopped'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** 'close', not 'exit': answers that are still in the pipe are read first. */
  #watch(resolve: (end: string) => void): void {
    const onEnd = (how: string): void => {
      if (this.#end !== '') return;
      const lastWords = this.#lastLine.slice(0, LAST_WORDS_MAX);
      this.#end = this.#killedBecause || (lastWords === '' ? how : `${how}: ${lastWords}`);
      for (const pending of this.#pending.values()) pending.reject(this.#death());
      this.#pending.clear();
      resolve(this.#end);
    };
    this.#child.on('error', (error) => onEnd(error.message));
    this.#child.on('close', (code, signal) => onEnd(signal ? `killed by ${signal}` : `ended with ${code}`));
    // A write to a dead child: its 'close' follows.
    this.#child.stdin.on('error', () => undefined);
  }

  #settle([id, error, value]: AnswerFrame): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === null) pending?.resolve(value);
    else pending?.reject(fromWireError(error));
  }

  #death(): MusterError {
    return new MusterError('COMPUTE_FAILED', `the ${this.#title} process ended`, { why: this.#end });
  }
}

/**
 * Runs in the child: answers calls until the parent closes the pipe or dies, then ends the process.
 *
 * One call at a time, in order: native code shares its buffers between calls. An answer is written before the next call starts, which may
 * block the thread; if the pipe is broken the process ends there instead of working off the waiting calls.
 */
export async function serveFrames<C extends Calls>(handlers: CallHandlers<C>): Promise<never> {
  ignoreSignals();
  process.stdout.on('error', () => process.exit(1));
  let served = Promise.resolve();
  const onFrame = (frame: unknown): void => {
    const [id, name, ask] = frame as CallFrame;
    served = served
      .then(() => answerOf(handlers[name], ask))
      .then(([error, value]) => writeOut(frameOf([id, error, value] satisfies AnswerFrame)));
  };
  await new Promise<void>((resolve) => {
    readFrames(process.stdin, { onFrame, onGarbage: resolve });
    process.stdin.on('end', resolve);
  });
  await served;
  // Native runtimes leave threads and handles behind that would keep it alive.
  process.exit();
}

/**
 * Ctrl-C reaches every process of the terminal's group, and a service may be stopped as a group too. The parent decides what happens to
 * running work, by closing standard input or by SIGKILL; a child that died of the signal would fail that work.
 */
function ignoreSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
}

/** Never resolves if the pipe is broken: the 'error' listener ends the process. */
const writeOut = (frame: Buffer): Promise<void> =>
  new Promise((resolve) => process.stdout.write(frame, (error) => error ?? resolve()));

async function answerOf(
  handler: ((ask: never) => unknown) | undefined,
  ask: unknown,
): Promise<[WireError | null, unknown]> {
  try {
    if (handler === undefined) throw new MusterError('BUG', 'a child process was asked for what it does not know');
    return [null, await handler(ask as never)];
  } catch (error) {
    return [toWireError(error), null];
  }
}
