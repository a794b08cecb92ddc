import { deferred } from '@muster/shared';

/** Time limit for work that may take long while it makes progress: expires when not renewed for `ms`. */
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

  /** Undefined if the limit expires first; the outcome of `promise` is then ignored, a rejection too. */
  await<T>(promise: Promise<T>): Promise<T | undefined> {
    return Promise.race([promise, this.#over]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
