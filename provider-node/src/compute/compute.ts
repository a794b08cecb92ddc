import { MusterError, type DeviceFacts, type Logger } from '@muster/shared';
import { ComputeProcess } from './compute-process.ts';
import type { Done, Job, OpenRequest } from './compute-protocol.ts';

/** A device that runs jobs. Several `run` calls may wait at once; they are computed in the order of the calls. */
export interface Compute {
  readonly device: DeviceFacts;
  /** Process id of the current compute process; it changes when one dies. */
  readonly pid: number;
  /** How long the latest process took to start, in ms. */
  readonly startMs: number;
  /** Rejects with COMPUTE_FAILED when the job fails or the process dies while computing it. Jobs behind it run in the next process. */
  run(job: Job): Promise<Done>;
  /** Ends the running job at once: it rejects with COMPUTE_FAILED, 'aborted'. Jobs behind it run in the next process. */
  abort(): Promise<void>;
  /** Gives pending jobs 2 s to finish; whatever has not run by then rejects with COMPUTE_FAILED. */
  stop(): Promise<void>;
}

/** An open process, and the request that opens another one for the same device. */
export interface OpenDevice {
  readonly process: ComputeProcess;
  readonly reopen: OpenRequest;
  readonly facts: DeviceFacts;
  readonly logger: Logger;
}

export const OPEN_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 2000;

interface Waiting {
  readonly job: Job;
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * `#waiting[0]` is the running job. Either all of `#waiting` has been sent to `#process`, or no process is open and a new one is starting
 * (`#opening`).
 */
export class DeviceCompute implements Compute {
  readonly device: DeviceFacts;
  readonly #reopen: OpenRequest;
  readonly #logger: Logger;
  readonly #waiting: Waiting[] = [];
  readonly #fallbacks = new Set<string>();
  #process: ComputeProcess;
  #opening: Promise<void> | null = null;
  #stopped = false;

  constructor({ process, reopen, facts, logger }: OpenDevice) {
    this.device = facts;
    this.#reopen = reopen;
    this.#logger = logger;
    this.#process = process;
    this.#take(process);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get startMs(): number {
    return this.#process.startMs;
  }

  async run(job: Job): Promise<Done> {
    if (this.#stopped) throw computeFailed('stopped');
    return new Promise((resolve, reject) => {
      const waiting = { job, resolve, reject };
      this.#waiting.push(waiting);
      if (this.#opening) return;
      if (this.#process.alive) void this.#send(waiting, this.#process);
      else this.#opening = this.#open();
    });
  }

  async abort(): Promise<void> {
    if (this.#opening) {
      this.#waiting.shift()?.reject(computeFailed(ABORTED));
      return;
    }
    this.#process.kill(ABORTED);
    await this.#process.exited;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#opening) this.#process.kill('stopped');
    else await this.#process.stop(STOP_LIMIT_MS);
    await this.#opening;
    this.#rejectAll(computeFailed('stopped'));
  }

  #take(process: ComputeProcess): void {
    this.#process = process;
    void process.exited.then((reason) => this.#lost(reason));
    for (const waiting of this.#waiting) void this.#send(waiting, process);
  }

  async #send(waiting: Waiting, process: ComputeProcess): Promise<void> {
    try {
      const done = await process.run(waiting.job);
      this.#remove(waiting);
      this.#noteFallback(done);
      waiting.resolve(done);
    } catch (error) {
      // When the process has died, `#lost` decides: the running job fails, the others go to the next process.
      if (!process.alive) return;
      this.#remove(waiting);
      waiting.reject(error);
    }
  }

  /** Logs each reason once. */
  #noteFallback({ fallback: reason }: Done): void {
    if (reason === '' || this.#fallbacks.has(reason)) return;
    this.#fallbacks.add(reason);
    this.#logger.warn({ reason, device: this.device.kind }, 'work is done on the CPU in the place of the device');
  }

  #remove(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  #lost(reason: string): void {
    this.#waiting.shift()?.reject(computeFailed(reason));
    if (this.#stopped) return;
    // Aborting the job of a cancelled task is routine.
    const level = reason === ABORTED ? 'debug' : 'warn';
    this.#logger[level]({ reason, device: this.device.kind }, 'the compute process is gone, starting another');
    this.#opening = this.#open();
  }

  async #open(): Promise<void> {
    const process = new ComputeProcess(this.#logger);
    this.#process = process;
    try {
      await process.open(this.#reopen, OPEN_LIMIT_MS);
      this.#opening = null;
      this.#take(process);
    } catch (error) {
      process.kill('not opened');
      await process.exited;
      this.#opening = null;
      this.#logger.error({ error, device: this.device.kind }, 'the compute process does not start');
      this.#rejectAll(computeFailed(error instanceof MusterError ? error.why : String(error)));
    }
  }

  #rejectAll(error: MusterError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** Failure reason of a job that was aborted because it is no longer wanted. */
const ABORTED = 'aborted';

const computeFailed = (why: string): MusterError =>
  new MusterError('COMPUTE_FAILED', 'a subtask was not computed', { why });
