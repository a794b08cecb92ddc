import { LRUCache } from 'lru-cache';
import type { Panel } from './backends/backend.ts';
import type { BufferPool } from './buffer-pool.ts';
import { readBlocks } from './block-files.ts';

/** An operand stored in files whose concatenated bytes are the packed panel. */
export interface PanelSource {
  /** Made of type, shape and block ids, so that it identifies both the bytes and their interpretation. */
  readonly key: string;
  readonly rows: number;
  readonly columns: number;
  readonly bytes: number;
  readonly paths: readonly string[];
}

/**
 * Panels in memory; the least recently used are evicted and their buffers return to the pool. A fetched panel stays valid until the fetch
 * after the next one, because a buffer is taken before the one that it displaces is given back.
 */
export class PanelCache {
  readonly #panels: LRUCache<string, Panel>;
  readonly #pool: BufferPool;

  constructor(maxBytes: number, pool: BufferPool) {
    this.#pool = pool;
    this.#panels = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }) => bytes.buffer.byteLength,
      dispose: ({ bytes }) => pool.give(bytes),
    });
  }

  /** `adopt` is applied to the bytes once, after reading. A panel larger than the whole cache is read but not kept. */
  fetch({ key, rows, columns, bytes, paths }: PanelSource, adopt: (bytes: Uint8Array<ArrayBuffer>) => void): Panel {
    const known = this.#panels.get(key);
    if (known) return known;
    const buffer = this.#pool.take(bytes);
    readBlocks(paths, buffer);
    adopt(buffer);
    const panel = { bytes: buffer, rows, columns };
    this.#panels.set(key, panel);
    return panel;
  }

  drop(key: string): void {
    this.#panels.delete(key);
  }
}
