import {
  deferred,
  fromWireError,
  isTerminal,
  MusterError,
  systemClock,
  type TaskId,
  type TaskStatus,
} from '@muster/shared';
import type { Push } from './link/requests.ts';
import type { TaskResult } from './results/task-result.ts';
import { TileIntake } from './results/tile-intake.ts';
import type { Transport } from './transport.ts';

/** The head sends progress at least every second; after this long without any, it is asked to repeat everything. */
const SILENCE_MS = 3000;
const CHECK_EVERY_MS = 500;
/** The head enforces the limit itself and knows why the task is late; this side acts only if it does not. */
const DEADLINE_GRACE_MS = 500;
const CANCEL_MS = 1500;

export type ProgressListener = (status: TaskStatus) => void;

export interface TaskHandleOptions {
  readonly taskId: TaskId;
  /** Scope of this handle's requests, distinct for each handle of a task. */
  readonly scope: string;
  readonly transport: Transport;
  /** Receives the result; null: it stays on the head. */
  readonly result: TaskResult | null;
  /** null: wait for ever. */
  readonly timeoutMs: number | null;
  /** When it aborts, the task is cancelled on the head and `wait()` rejects with the signal's reason. */
  readonly signal: AbortSignal | null;
  /** Called when the handle has ended. */
  readonly released: () => void;
}

/**
 * A task on the head, followed until it has ended and its result is in the sink. It survives lost connections and restarts of the head.
 * It ends once: done, failed, cancelled, timed out, or because its operands or its result could not be transferred.
 */
export class TaskHandle {
  readonly taskId: TaskId;
  readonly #options: TaskHandleOptions;
  readonly #intake: TileIntake | null;
  readonly #listeners = new Set<ProgressListener>();
  readonly #outcome = deferred<TaskStatus>();
  readonly #ticker: NodeJS.Timeout;
  readonly #startMs = systemClock.nowMs();
  #heardMs = this.#startMs;
  #latest: TaskStatus | null = null;
  #uploading: Promise<void> = Promise.resolve();
  #watching = false;
  /** A `watch` request is unanswered. */
  #asking = false;
  #over = false;

  constructor(options: TaskHandleOptions) {
    this.#options = options;
    this.taskId = options.taskId;
    this.#intake = this.#openIntake();
    this.#ticker = setInterval(() => this.#tick(), CHECK_EVERY_MS);
    options.signal?.addEventListener('abort', this.#aborted);
    // Prevents an unhandled rejection when `wait` is never called.
    this.#outcome.promise.catch(() => undefined);
  }

  /** Resolves when the head has every operand block durably: from then on the task does not need this process. */
  get uploaded(): Promise<void> {
    return this.#allUploaded();
  }

  /** A restart of the head replaces `#uploading` by a new upload. */
  async #allUploaded(): Promise<void> {
    let upload: Promise<void>;
    do {
      upload = this.#uploading;
      await upload.catch((error: unknown) => {
        // A task may be done before the head has confirmed its last block.
        if (this.#latest?.state !== 'done') throw error;
      });
    } while (upload !== this.#uploading);
  }

  /** Calls `listener` at once with the latest status, then with every one that the head sends. Returns a function that unsubscribes. */
  onProgress(listener: ProgressListener): () => void {
    this.#listeners.add(listener);
    if (this.#latest !== null) listener(this.#latest);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The final status, once the task is done and every tile is in the sink. Rejects with the task's error, TIMEOUT, TASK_CANCELLED, the
   * reason of the aborted signal, or INTERRUPTED when the client is closed.
   */
  wait(): Promise<TaskStatus> {
    return this.#outcome.promise;
  }

  /**
   * Resolves when the head has ended the task; `wait()` then rejects with TASK_CANCELLED. Rejects with HEAD_UNREACHABLE after
   * `timeoutMs`.
   */
  async cancel(timeoutMs: number = CANCEL_MS): Promise<void> {
    await this.#options.transport.link.ask('cancel', { task: this.taskId }, { timeoutMs });
    this.fail(new MusterError('TASK_CANCELLED', `task ${this.taskId} was cancelled`));
  }

  /** @internal Ties the upload to the task: its failure is the task's. */
  follow(upload: Promise<void>): void {
    this.#uploading = upload;
    upload.catch((error: unknown) => this.abandon(error));
  }

  /** @internal Once the head has accepted the task: asks it for everything about it, from the start. */
  watch(): void {
    this.#watching = true;
    this.watchAgain();
  }

  /** @internal Asks again, after the head was away or silent. No effect before `watch`. */
  watchAgain(): void {
    if (this.#over || !this.#watching) return;
    this.#heardMs = systemClock.nowMs();
    // The link itself repeats a request that is not answered.
    if (this.#asking) return;
    this.#asking = true;
    const { scope, transport } = this.#options;
    const answered = transport.link.ask('watch', { task: this.taskId }, { scope });
    answered.finally(() => (this.#asking = false)).catch((error: unknown) => this.fail(error));
  }

  /** @internal */
  pushed(push: Push): void {
    if (this.#over) return;
    this.#heardMs = systemClock.nowMs();
    if (push.type === 'tiles') this.#intake?.announced(push.tiles);
    else this.#told(push.status);
  }

  /** @internal Ends the handle and cancels the task on the head. */
  abandon(error: unknown): void {
    if (this.#over) return;
    const { link, cancellations } = this.#options.transport;
    cancellations.add(this.taskId, link.ask('cancel', { task: this.taskId }, { timeoutMs: CANCEL_MS }));
    this.fail(error);
  }

  /** @internal Ends the handle; the task on the head is not touched. */
  fail(error: unknown): void {
    this.#end(() => {
      this.#discard();
      this.#outcome.reject(error);
    });
  }

  readonly #aborted = (): void => this.abandon(this.#options.signal?.reason);

  #openIntake(): TileIntake | null {
    const { taskId: task, scope, transport, result } = this.#options;
    if (result === null) return null;
    const placed = (): void => this.#settleIfWhole();
    return new TileIntake(transport, { task, scope, result, placed, failed: (error) => this.abandon(error) });
  }

  #told(status: TaskStatus): void {
    this.#latest = status;
    for (const listener of this.#listeners) listener(status);
    if (status.state === 'done') this.#settleIfWhole();
    else if (isTerminal(status.state)) this.fail(errorOf(status));
  }

  #settleIfWhole(): void {
    const status = this.#latest;
    if (status?.state !== 'done' || this.#over) return;
    if (this.#intake !== null && this.#intake.placed < status.tiles) return;
    this.#end(() => {
      try {
        this.#options.result?.complete();
        this.#outcome.resolve(status);
      } catch (error) {
        this.#discard();
        this.#outcome.reject(error);
      }
    });
  }

  #tick(): void {
    const nowMs = systemClock.nowMs();
    const { timeoutMs } = this.#options;
    if (timeoutMs !== null && nowMs - this.#startMs > timeoutMs + DEADLINE_GRACE_MS)
      this.abandon(this.#late(timeoutMs));
    else if (nowMs - this.#heardMs > SILENCE_MS && this.#intake?.busy !== true) this.watchAgain();
  }

  #late(timeoutMs: number): MusterError {
    const silentS = Math.round(this.#options.transport.link.silentMs / 1000);
    const seen =
      this.#latest === null
        ? 'nothing was heard of it'
        : `it is ${this.#latest.state}, ${this.#latest.acceptedTiles} of ${this.#latest.tiles} tiles are done`;
    return new MusterError('TIMEOUT', `task ${this.taskId} did not end within ${timeoutMs / 1000} s`, {
      why: silentS > 2 ? `the head has not answered for ${silentS} s` : seen,
      fix: 'give it more time with --timeout, or more nodes',
    });
  }

  #discard(): void {
    try {
      this.#options.result?.discard();
    } catch {
      // The failure that led here matters more than leftover files.
    }
  }

  #end(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#ticker);
    this.#intake?.stop();
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    this.#options.released();
    settle();
    // After `settle`, so that errors of dropped requests do not become the outcome.
    this.#options.transport.link.drop(
      this.#options.scope,
      new MusterError('INTERRUPTED', `task ${this.taskId} is over`),
    );
  }
}

function errorOf(status: TaskStatus): MusterError {
  if (status.error !== null) return fromWireError(status.error);
  return status.state === 'cancelled'
    ? new MusterError('TASK_CANCELLED', `task ${status.taskId} was cancelled`, { fix: 'submit it again' })
    : new MusterError('BUG', `task ${status.taskId} failed`, { why: 'the head did not say why' });
}
