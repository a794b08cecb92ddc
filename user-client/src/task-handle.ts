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

/** The head tells at least its progress every second; after this long it is asked to say everything again. */
const SILENCE_MS = 3000;
const CHECK_EVERY_MS = 500;
/** The head ends a task at its limit by itself and knows why it was late; this side only makes sure. */
const DEADLINE_GRACE_MS = 500;
const CANCEL_MS = 1500;

export type ProgressListener = (status: TaskStatus) => void;

export interface TaskHandleOptions {
  readonly taskId: TaskId;
  /** Names what this handle asks, apart from other handles of the same task. */
  readonly scope: string;
  readonly transport: Transport;
  /** Where the result goes; null: it stays on the head. */
  readonly result: TaskResult | null;
  /** null: wait for ever. */
  readonly timeoutMs: number | null;
  /** Ends the task on the head when it aborts; its reason is what `wait()` rejects with. */
  readonly signal: AbortSignal | null;
  /** Nobody needs to be told about the task any more. */
  readonly released: () => void;
}

/**
 * A task on the head, followed until it has ended and its result is in the sink. It outlives lost connections and restarts of the
 * head. It ends once: done, failed, cancelled, late, or because its operands or its result could not be moved.
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
  /** The head was asked, and has not answered. */
  #asking = false;
  #over = false;

  constructor(options: TaskHandleOptions) {
    this.#options = options;
    this.taskId = options.taskId;
    this.#intake = this.#openIntake();
    this.#ticker = setInterval(() => this.#tick(), CHECK_EVERY_MS);
    options.signal?.addEventListener('abort', this.#aborted);
    // Whoever does not wait does not want to know.
    this.#outcome.promise.catch(() => undefined);
  }

  /** Resolves when the head has every block of the operands, safely: from then on the task needs this process no more. */
  get uploaded(): Promise<void> {
    return this.#allUploaded();
  }

  /** A head that was restarted is told again. */
  async #allUploaded(): Promise<void> {
    let upload: Promise<void>;
    do {
      upload = this.#uploading;
      await upload;
    } while (upload !== this.#uploading);
  }

  /** Calls with every status that the head sends, and at once with the latest. Returns the way to stop it. */
  onProgress(listener: ProgressListener): () => void {
    this.#listeners.add(listener);
    if (this.#latest !== null) listener(this.#latest);
    return () => this.#listeners.delete(listener);
  }

  /** The final status, when the task is done and every tile is in the sink. Rejects with the task's error, TIMEOUT or TASK_CANCELLED. */
  wait(): Promise<TaskStatus> {
    return this.#outcome.promise;
  }

  /** The head has ended the task when this resolves; `wait()` rejects with TASK_CANCELLED. */
  async cancel(timeoutMs: number = CANCEL_MS): Promise<void> {
    await this.#options.transport.link.ask('cancel', { task: this.taskId }, { timeoutMs });
    this.fail(new MusterError('TASK_CANCELLED', `task ${this.taskId} was cancelled`));
  }

  /** @internal Follows the upload: its failure is the task's. */
  follow(upload: Promise<void>): void {
    this.#uploading = upload;
    upload.catch((error: unknown) => this.abandon(error));
  }

  /** @internal The head knows the task: it shall tell everything about it, from the start. */
  watch(): void {
    this.#watching = true;
    this.watchAgain();
  }

  /** @internal A head that was away, or is silent, is asked again; not before it has accepted the task. */
  watchAgain(): void {
    if (this.#over || !this.#watching) return;
    this.#heardMs = systemClock.nowMs();
    // The link asks again by itself what is not answered.
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

  /** @internal The task is of no use any more: the head may stop it. */
  abandon(error: unknown): void {
    if (this.#over) return;
    const { link, cancellations } = this.#options.transport;
    cancellations.add(this.taskId, link.ask('cancel', { task: this.taskId }, { timeoutMs: CANCEL_MS }));
    this.fail(error);
  }

  /** @internal Ends the handle, and leaves the task on the head alone. */
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
      // The failure that brought us here matters more than what is left behind.
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
    // After `settle`, so that what was under way does not give the reason.
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
