import { deferred } from '@muster/shared';

/** A time limit for what may take long as long as it gets on: it ends when nothing has renewed it for `ms`. */
export class IdleTimeout {
  readonly #over: Promise<undefined>;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    const { promise, resolve } = deferred<undefined>();
    this.#over = promise;
    this.#timer = setTimeout(() => resolve(undefined), ms);
  }

  renew(): void {
    this.#timer.refresh();
  }

  /** Undefined when it ends before; whatever becomes of the promise then is nobody's concern. */
  await<T>(promise: Promise<T>): Promise<T | undefined> {
    return Promise.race([promise, this.#over]);
  }

  /** Not needed any more. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
