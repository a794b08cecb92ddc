import { systemClock, type TaskStatus } from '@muster/shared';
import type { ClusterClient } from '../cluster-client.ts';
import type { TaskHandle } from '../task-handle.ts';
import type { Waiting } from './progress-lines.ts';
import { ProgressView } from './progress-view.ts';
import type { Terminal } from './terminal.ts';

const ASK_NODES_MS = 500;

export interface Followed {
  readonly client: ClusterClient;
  readonly handle: TaskHandle;
  readonly terminal: Terminal;
  /** null when another process submitted the task, so that its terms are unknown. */
  readonly terms: { readonly nodes: number | undefined; readonly waitNodesMs: number } | null;
}

/** Shows progress until the task has ended and its result is complete. Rejects as `TaskHandle.wait` does. */
export async function followTask(followed: Followed): Promise<TaskStatus> {
  const view = new ProgressView(followed.terminal, () => followed.client.silentMs);
  const queue = new NodeQueue(followed);
  const stop = followed.handle.onProgress((status) => {
    queue.asLongAs(status.state === 'waiting');
    view.update(status, queue.waiting);
  });
  try {
    return await followed.handle.wait();
  } finally {
    stop();
    queue.asLongAs(false);
    view.stop();
  }
}

/** Polls how many nodes are ready while a task waits for them: the task's status does not include it. */
class NodeQueue {
  readonly #followed: Followed;
  readonly #startMs = systemClock.nowMs();
  #timer: NodeJS.Timeout | undefined;
  /** null before the first count. */
  #ready: number | null = null;

  constructor(followed: Followed) {
    this.#followed = followed;
  }

  get waiting(): Waiting | null {
    const { terms } = this.#followed;
    if (this.#timer === undefined || terms === null || this.#ready === null) return null;
    const wanted = terms.nodes ?? 1;
    const leftMs = terms.waitNodesMs - (systemClock.nowMs() - this.#startMs);
    return this.#ready >= wanted ? null : { ready: this.#ready, wanted, leftMs };
  }

  asLongAs(waiting: boolean): void {
    if (waiting === (this.#timer !== undefined) || this.#followed.terms === null) return;
    clearInterval(this.#timer);
    this.#timer = waiting ? setInterval(() => this.#count(), ASK_NODES_MS) : undefined;
    if (waiting) this.#count();
  }

  #count(): void {
    this.#followed.client.nodes().then(
      (nodes) => (this.#ready = nodes.filter(({ state }) => state === 'ready' || state === 'busy').length),
      () => undefined,
    );
  }
}
