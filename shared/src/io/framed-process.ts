/**
 * A child process that answers calls over its standard input and output. Native code that blocks or may crash runs in one:
 * its death is an event, and rejected calls, not the end of the program.
 *
 * A frame is `u32 length, msgpack`, little endian. Both ends are one program at one version, so the types are trusted.
 * Bytes travel as `Uint8Array`; msgpack would corrupt any other typed array. The child must not print to standard output.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Packr } from 'msgpackr';
import { fromWireError, MusterError, toWireError, type WireError } from '../errors.ts';

/** What a child can be asked, by name. */
export type Calls = Record<string, { readonly ask: unknown; readonly answer: unknown }>;

/** The child's side of it. */
export type CallHandlers<C extends Calls> = {
  readonly [Name in keyof C]: (ask: C[Name]['ask']) => C[Name]['answer'] | Promise<C[Name]['answer']>;
};

export interface FramedProcessOptions {
  /** The compiled script; `serveFrames` is called in it. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** For error messages: `the verifier`. */
  readonly title: string;
  /** Lines that the child writes to standard error. */
  readonly onStderr?: (line: string) => void;
}

export interface FramedProcess<C extends Calls> {
  readonly pid: number;
  /** False once its end was noticed: every call from then on rejects. */
  readonly alive: boolean;
  /** Frames arrive in the order of the calls. Rejects with what the child's handler threw, or COMPUTE_FAILED when the child dies. */
  call<Name extends keyof C & string>(name: Name, ask: C[Name]['ask']): Promise<C[Name]['answer']>;
  /** Resolves, never rejects, with the words for how it ended: `exit code 0`, `SIGKILL`, ... */
  readonly ended: Promise<string>;
  /** At once, also in the middle of a native call. */
  kill(): void;
  /** Lets calls that were made before finish; kills after the grace time. */
  stop(graceMs?: number): Promise<void>;
}

type CallFrame = readonly [id: number, name: string, ask: unknown];
type AnswerFrame = readonly [id: number, error: WireError | null, answer: unknown];

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A longer frame is a stray print to standard output, not a message. */
const FRAME_BYTES_MAX = 256 * 2 ** 20;
const STOP_GRACE_MS = 2000;

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });

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
  #end = '';

  constructor(child: ChildProcessWithoutNullStreams, { title, onStderr }: FramedProcessOptions) {
    this.#child = child;
    this.#title = title;
    this.ended = new Promise((resolve) => this.#watch(resolve));
    readFrames(child.stdout, {
      onFrame: (frame) => this.#settle(frame as AnswerFrame),
      onGarbage: () => {
        this.#lastLine = 'it wrote to standard output what is no frame';
        this.kill();
      },
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lastLine = line;
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
    this.#child.stdin.write(frameOf([id, name, ask] satisfies CallFrame));
    return answered;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** 'close', not 'exit': answers that are still in the pipe are read first. */
  #watch(resolve: (end: string) => void): void {
    const onEnd = (end: string): void => {
      if (this.#end !== '') return;
      this.#end = end;
      for (const pending of this.#pending.values()) pending.reject(this.#death());
      this.#pending.clear();
      resolve(end);
    };
    this.#child.on('error', (error) => onEnd(error.message));
    this.#child.on('close', (code, signal) => onEnd(signal ?? `exit code ${code}`));
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
    const lastWords = this.#lastLine === '' ? '' : `; its last line was: ${this.#lastLine}`;
    return new MusterError('COMPUTE_FAILED', `${this.#title} process ended`, { why: `${this.#end}${lastWords}` });
  }
}

/**
 * Runs in the child: answers calls until the parent closes the pipe or dies, then resolves once the last answer is written.
 * Calls start in order; one that awaits does not hold up the next.
 */
export async function serveFrames<C extends Calls>(handlers: CallHandlers<C>): Promise<void> {
  const open = new Set<Promise<void>>();
  const onCall = ([id, name, ask]: CallFrame): void => {
    const answering = answerOf(handlers[name], ask).then(([error, value]) => {
      process.stdout.write(frameOf([id, error, value] satisfies AnswerFrame));
      open.delete(answering);
    });
    open.add(answering);
  };
  process.stdout.on('error', () => process.exit(1));
  await new Promise<void>((resolve) => {
    readFrames(process.stdin, { onFrame: (frame) => onCall(frame as CallFrame), onGarbage: resolve });
    process.stdin.on('end', resolve);
  });
  await Promise.all(open);
}

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

function frameOf(message: CallFrame | AnswerFrame): Buffer {
  const packed = packr.pack(message);
  const frame = Buffer.allocUnsafe(4 + packed.length);
  frame.writeUInt32LE(packed.length, 0);
  frame.set(packed, 4);
  return frame;
}

interface FrameEvents {
  readonly onFrame: (frame: unknown) => void;
  /** The stream is not frames, or not any more; nothing is read from it after that. */
  readonly onGarbage: () => void;
}

function readFrames(stream: NodeJS.ReadableStream, { onFrame, onGarbage }: FrameEvents): void {
  const cutter = new FrameCutter(onFrame);
  const onChunk = (chunk: Buffer): void => {
    try {
      cutter.push(chunk);
    } catch {
      stream.removeListener('data', onChunk);
      onGarbage();
    }
  };
  stream.on('data', onChunk);
}

/** Puts frames together from chunks that end anywhere. */
class FrameCutter {
  readonly #onFrame: (frame: unknown) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wantedBytes = 4;

  constructor(onFrame: (frame: unknown) => void) {
    this.#onFrame = onFrame;
  }

  /** Throws for what cannot be a frame. */
  push(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wantedBytes) return;
    const rest = this.#takeFrames(this.#held.length === 1 ? chunk : Buffer.concat(this.#held));
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
  }

  #takeFrames(bytes: Buffer): Buffer {
    let rest = bytes;
    this.#wantedBytes = wantedBytes(rest);
    while (rest.length >= 4 && rest.length >= this.#wantedBytes) {
      this.#onFrame(packr.unpack(rest.subarray(4, this.#wantedBytes)));
      rest = rest.subarray(this.#wantedBytes);
      this.#wantedBytes = wantedBytes(rest);
    }
    return rest;
  }
}

function wantedBytes(bytes: Buffer): number {
  const length = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  if (length > FRAME_BYTES_MAX)
    throw new MusterError('PROTOCOL', 'a pipe carries no frames', { why: `${length} bytes` });
  return 4 + length;
}
