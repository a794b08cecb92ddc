import type { BackboneState, BackboneStatus } from './backbone.ts';

type Listener = (status: BackboneStatus) => void;

/** Tells listeners about changes of state. */
export class StateNotice {
  readonly #status: () => BackboneStatus;
  readonly #listeners = new Set<Listener>();
  readonly #watchers = new Set<() => void>();
  #last: BackboneState | undefined;
  #ended = false;

  constructor(status: () => BackboneStatus) {
    this.#status = status;
  }

  /** Calls `listener` at once, then at every change of state. Returns the unsubscribe function. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.#status());
    return () => this.#listeners.delete(listener);
  }

  /** Like `listen`, but also called when anything else may have changed. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    queueMicrotask(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Something may have changed. True when the state has. */
  changed(): boolean {
    if (this.#ended) return false;
    for (const watcher of this.#watchers) watcher();
    const status = this.#status();
    if (status.state === this.#last) return false;
    this.#last = status.state;
    for (const listener of this.#listeners) listener(status);
    return true;
  }

  /** Stops notifying: further changes are part of closing. */
  end(): void {
    this.#ended = true;
    this.#listeners.clear();
    this.#watchers.clear();
  }
}
