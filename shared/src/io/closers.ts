type Close = () => void | Promise<void>;

/** What was opened, for closing in reverse: at the end, and when what comes after it does not open. */
export class Closers {
  readonly #closers: Close[] = [];
  #closed: Promise<void> | null = null;

  /** `close` is called once. */
  add(close: Close): void {
    this.#closers.push(close);
  }

  /** Goes on where one fails; rejects with the first error. The second call gives what the first does. */
  close(): Promise<void> {
    return (this.#closed ??= this.#closeAll());
  }

  /** What `open` has opened is closed again when it rejects. */
  async guard<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      // What could not be closed either is not the reason.
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
