import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** A closed port: messages to it are dropped, and memory transferred with them is freed at once. */
function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}

const nowhere = closedPort();

/**
 * Frees the memory of a view at once; the view, and every other of the same buffer, is empty afterwards. Left to the garbage collector,
 * every few results of some MB make it mark the whole heap, on cores that could compute. Memory that cannot be transferred, because a
 * library keeps it, is left to the collector.
 */
export function freeMemory({ buffer }: ArrayBufferView): void {
  try {
    nowhere.postMessage(null, [buffer as ArrayBuffer]);
  } catch {
    // Not transferable.
  }
}
