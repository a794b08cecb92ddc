/** Last messages that closing must wait for: what ZeroMQ has not sent by then is lost. */
export class LastRequests {
  private readonly open = new Set<Promise<unknown>>();

  /** Whether it succeeds does not matter; it has a time limit of its own. */
  add(said: Promise<unknown>): void {
    const ended: Promise<void> = said.then(
      () => undefined,
      () => undefined,
    );
    this.open.add(ended);
    void ended.then(() => this.open.delete(ended));
  }

  async all(): Promise<void> {
    await Promise.all(this.open);
  }
}
