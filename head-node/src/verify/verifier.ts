import { fileURLToPath } from 'node:url';
import { deferred, MusterError, type Deferred, type Logger, type TaskId } from '@muster/shared';
import { startFramedProcess, type FramedProcess } from '@muster/shared/io';
import type { FileDigest, OperandFiles, Tile, Verdict, VerifyCalls } from './calls.ts';

export interface VerifierOptions {
  readonly logger: Logger;
  /** The compiled verify-main; tests that run from source name it. */
  readonly script?: string;
}

/** Checks tiles of products in a process of its own, off the head's event loop. */
export interface Verifier {
  /** May come before or after the first checks of the task, which wait for it. */
  open(task: TaskId, operands: OperandFiles): void;
  /**
   * Resolves with `ok: false` for a wrong tile and for a file of the wrong length. Rejects when it cannot tell: TASK_CANCELLED after
   * `close`, BLOCK_MISSING when an operand's file is gone, COMPUTE_FAILED when the process died at it three times.
   */
  check(tile: Tile): Promise<Verdict>;
  /** Length and digest of any file. Rejects with BLOCK_MISSING when there is none. */
  digest(path: string): Promise<FileDigest>;
  close(task: TaskId): void;
  stop(): Promise<void>;
}

/** A check during which the process dies is tried again, up to this many times in all. */
const ATTEMPTS = 3;

export async function startVerifier({ logger, script = compiledMain() }: VerifierOptions): Promise<Verifier> {
  const verifier = new ChildVerifier(script, logger);
  await verifier.ready();
  return verifier;
}

const compiledMain = (): string => fileURLToPath(new URL('verify-main.js', import.meta.url));

interface OpenTask {
  readonly opened: Deferred<void>;
  operands: OperandFiles | null;
}

class ChildVerifier implements Verifier {
  readonly #script: string;
  readonly #logger: Logger;
  readonly #tasks = new Map<TaskId, OpenTask>();
  #process: FramedProcess<VerifyCalls>;
  #stopping = false;

  constructor(script: string, logger: Logger) {
    this.#script = script;
    this.#logger = logger;
    this.#process = this.#start();
  }

  async ready(): Promise<void> {
    await this.#process.call('ready', null);
  }

  open(task: TaskId, operands: OperandFiles): void {
    const entry = this.#task(task);
    const process = this.#living();
    entry.operands = operands;
    this.#send(process, task, operands);
    entry.opened.resolve();
  }

  async check(tile: Tile): Promise<Verdict> {
    await this.#task(tile.task).opened.promise;
    for (let attempt = 1; ; attempt++) {
      if (!this.#tasks.has(tile.task)) throw closed(tile.task);
      const process = this.#living();
      try {
        return await process.call('check', tile);
      } catch (error) {
        if (process.alive || this.#stopping || attempt === ATTEMPTS) throw error;
      }
    }
  }

  digest(path: string): Promise<FileDigest> {
    return this.#living().call('digest', path);
  }

  close(task: TaskId): void {
    const entry = this.#tasks.get(task);
    if (entry === undefined) return;
    this.#tasks.delete(task);
    entry.opened.reject(closed(task));
    if (entry.operands !== null && this.#process.alive) this.#process.call('close', task).catch(this.#ignore);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const task of this.#tasks.keys()) this.close(task);
    await this.#process.stop();
  }

  #task(task: TaskId): OpenTask {
    const known = this.#tasks.get(task);
    if (known !== undefined) return known;
    const entry: OpenTask = { opened: deferred(), operands: null };
    // No unhandled rejection if no check waits when the task is closed.
    entry.opened.promise.catch(this.#ignore);
    this.#tasks.set(task, entry);
    return entry;
  }

  /** The process, or a new one if it has died, in which the open tasks are opened again. */
  #living(): FramedProcess<VerifyCalls> {
    if (this.#process.alive || this.#stopping) return this.#process;
    this.#process = this.#start();
    for (const [task, { operands }] of this.#tasks) {
      if (operands !== null) this.#send(this.#process, task, operands);
    }
    return this.#process;
  }

  #start(): FramedProcess<VerifyCalls> {
    const logger = this.#logger;
    const process = startFramedProcess<VerifyCalls>({
      script: this.#script,
      title: 'verify',
      // Otherwise ONNX Runtime sends telemetry, and leaves temporary files behind.
      env: { ORT_DISABLE_TELEMETRY: '1' },
      onStderr: (line) => logger.warn({ process: 'verify' }, line),
    });
    void process.ended.then((end) => {
      if (!this.#stopping) logger.error({ end }, 'the verify process ended; it is started again at the next check');
    });
    return process;
  }

  /** Errors are ignored here: every check of the task reports them. */
  #send(process: FramedProcess<VerifyCalls>, task: TaskId, operands: OperandFiles): void {
    process.call('open', { task, operands }).catch(this.#ignore);
  }

  readonly #ignore = (): void => undefined;
}

const closed = (task: TaskId): MusterError =>
  new MusterError('TASK_CANCELLED', 'a check was given up', { why: `task ${task} has ended` });
