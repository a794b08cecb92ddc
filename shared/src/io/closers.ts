type Close = () => void | Promise<void>;

/** Open resources, closed in reverse order: at the end, or when opening a later one fails. */
export class Closers {
  readonly #closers: Close[] = [];
  #closed: Promise<void> | null = null;

  /** `close` is called once. */
  add(close: Close): void {
    this.#closers.push(close);
  }

  /** Continues past a failure and rejects with the first error. Later calls return the same promise. */
  close(): Promise<void> {
    return (this.#closed ??= this.#closeAll());
  }

  /** Closes everything added so far if `open` rejects. */
  async guard<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      // The error of `open` is the one to report.
      await this.close().catch(() => undefined);
      throw error;
    }
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#closers.toReversed()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
