import { statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { viewBlock, type BlockId, type BlockView, type SampleLayout } from '@muster/shared';
import { readBlocks } from '../block-files.ts';
import type { BufferPool } from '../buffer-pool.ts';

interface ReadBlock {
  readonly view: BlockView;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface BlockPlace {
  readonly id: BlockId;
  readonly path: string;
}

/**
 * Blocks of samples in memory, each read from its file once; the least recently used leave first and their buffers go back to
 * the pool. A view holds until the fetch after the next one.
 */
export class SampleBlocks {
  readonly #blocks: LRUCache<string, ReadBlock>;
  readonly #pool: BufferPool;

  constructor(maxBytes: number, pool: BufferPool) {
    this.#pool = pool;
    this.#blocks = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }) => bytes.buffer.byteLength,
      dispose: ({ bytes }) => pool.give(bytes),
    });
  }

  /** `key` tells layouts apart. Throws BAD_DATA for bytes that do not fit the layout. */
  fetch(layout: SampleLayout, key: string, { id, path }: BlockPlace): BlockView {
    const known = this.#blocks.get(`${id} ${key}`);
    if (known) return known.view;
    const bytes = this.#pool.take(statSync(path).size);
    readBlocks([path], bytes);
    const view = viewBlock(layout, bytes);
    this.#blocks.set(`${id} ${key}`, { view, bytes });
    return view;
  }
}
