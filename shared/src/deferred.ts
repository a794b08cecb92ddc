/** A promise with `resolve` and `reject` exposed; Promise.withResolvers is not in Node 20. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let handles: Omit<Deferred<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (handles = { resolve, reject }));
  // The executor has run by now.
  return { promise, ...(handles as Omit<Deferred<T>, 'promise'>) };
}

/** Rejects with `late()` if the promise has not settled after `ms`. The timer is cleared when the promise settles. */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const { promise: timedOut, reject } = deferred<never>();
  const timer = setTimeout(() => reject(late()), ms);
  return Promise.race([promise, timedOut]).finally(() => clearTimeout(timer));
}
