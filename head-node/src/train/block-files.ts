import { readFileSync } from 'node:fs';
import { MusterError, viewBlock, type BlockView, type SampleLayout } from '@muster/shared';

/** Sample blocks that are kept in memory: shards of a shuffled set take their samples from all blocks. */
const KEPT_BYTES = 128 * 2 ** 20;

/** Blocks of one sample set, the most recently used ones in memory. */
export class BlockFiles {
  readonly #layout: SampleLayout;
  readonly #paths: readonly string[];
  readonly #kept = new Map<number, { readonly view: BlockView; readonly bytes: number }>();
  #keptBytes = 0;

  constructor(layout: SampleLayout, paths: readonly string[]) {
    this.#layout = layout;
    this.#paths = paths;
  }

  /** Throws BLOCK_MISSING when the block's file is gone, BAD_DATA when it is not what it should be. */
  blockAt(number: number): BlockView {
    const known = this.#kept.get(number) ?? this.#read(number);
    this.#kept.delete(number);
    this.#kept.set(number, known);
    this.#dropOldest();
    return known.view;
  }

  #read(number: number): { view: BlockView; bytes: number } {
    const path = this.#paths[number] ?? `block ${number}`;
    const bytes = contentOf(path);
    this.#keptBytes += bytes.length;
    return { view: viewBlock(this.#layout, bytes), bytes: bytes.length };
  }

  #dropOldest(): void {
    for (const [number, { bytes }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES || this.#kept.size === 1) return;
      this.#kept.delete(number);
      this.#keptBytes -= bytes;
    }
  }
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new MusterError('BLOCK_MISSING', 'samples cannot be read for an audit', {
      why: `${path} is not there`,
      cause,
    });
  }
}
