import { statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { viewBlock, type BlockId, type BlockView, type SampleLayout } from '@muster/shared';
import { readBlocks } from '../block-files.ts';
import type { BufferPool } from '../buffer-pool.ts';

/** How the bytes of a block are read. */
export interface BlockLayout {
  readonly layout: SampleLayout;
  /** Identifies the layout. Use one string object per layout: comparing every character costs more than copying a sample. */
  readonly key: string;
}

interface ReadBlock {
  readonly view: BlockView;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly key: string;
}

/**
 * Blocks of samples in memory, each read from its file once; the least recently used are evicted and their buffers return to the pool. A
 * view is valid until the fetch after the next one.
 */
export class SampleBlocks {
  readonly #blocks: LRUCache<BlockId, ReadBlock>;
  readonly #pool: BufferPool;

  constructor(maxBytes: number, pool: BufferPool) {
    this.#pool = pool;
    this.#blocks = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }) => bytes.buffer.byteLength,
      dispose: ({ bytes }) => pool.give(bytes),
    });
  }

  /** Called for nearly every sample of a batch, so a hit must be cheap. Throws BAD_DATA for bytes that do not fit the layout. */
  fetch(id: BlockId, { layout, key }: BlockLayout, pathOf: (id: BlockId) => string): BlockView {
    const known = this.#blocks.get(id);
    if (known?.key === key) return known.view;
    const path = pathOf(id);
    const bytes = this.#pool.take(statSync(path).size);
    readBlocks([path], bytes);
    const view = viewBlock(layout, bytes);
    this.#blocks.set(id, { view, bytes, key });
    return view;
  }
}
