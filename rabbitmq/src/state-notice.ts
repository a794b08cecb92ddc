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

  /** Called once at once, then at every change of state. Returns what ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.#status());
    return () => this.#listeners.delete(listener);
  }

  /** As `listen`, but called also when something else may have changed. */
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

  /** What happens from here on is the closing itself. */
  end(): void {
    this.#ended = true;
    this.#listeners.clear();
    this.#watchers.clear();
  }
}
