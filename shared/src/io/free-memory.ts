import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** A port that is closed: what is sent to it goes nowhere, and memory that is handed over with it is freed at once. */
function closedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}

const nowhere = closedPort();

/**
 * Gives the memory of a view back at once; the view, and every other of the same buffer, is empty from then on. Left to the garbage
 * collector, results of some MB each make it mark the whole heap every few of them, on cores that could compute. Memory that cannot
 * be handed over, because a library keeps it, is left to the collector.
 */
export function freeMemory({ buffer }: ArrayBufferView): void {
  try {
    nowhere.postMessage(null, [buffer as ArrayBuffer]);
  } catch {
    // Of that kind.
  }
}
