import { LRUCache } from 'lru-cache';
import type { Elements } from '@muster/shared';
import type { Multiplier, Panel, ResidentPanel } from './backends/backend.ts';
import type { BufferPool } from './buffer-pool.ts';
import { PanelCache, type PanelSource } from './panel-cache.ts';

const COUNTED_MAX = 4096;

/** Blocks of B: those used often enough become resident on the device, the others are cached in memory. */
export class RightOperands {
  readonly #panels: PanelCache;
  readonly #residents: LRUCache<string, ResidentPanel>;
  readonly #uses = new LRUCache<string, number>({ max: COUNTED_MAX });

  constructor(maxBytes: number, pool: BufferPool) {
    const half = Math.floor(maxBytes / 2);
    this.#panels = new PanelCache(half, pool);
    this.#residents = new LRUCache({ maxSize: half, dispose: (resident) => resident.release() });
  }

  /** Loads B into memory, or makes it resident once it has been used often enough. Resolves to the function that multiplies by it. */
  async fetch(source: PanelSource, multiplier: Multiplier): Promise<(a: Panel) => Promise<Elements>> {
    const { key } = source;
    const known = this.#residents.get(key);
    if (known) return (a) => known.multiply(a);
    const panel = this.#panels.fetch(source, (bytes) => multiplier.adopt('b', bytes));
    const uses = (this.#uses.get(key) ?? 0) + 1;
    this.#uses.set(key, uses);
    const fits = source.bytes <= this.#residents.maxSize;
    if (uses < multiplier.keepAtUse || !fits) return (a) => multiplier.multiply(a, panel);
    return this.#promote(source, panel, multiplier);
  }

  async #promote(
    { key, bytes }: PanelSource,
    panel: Panel,
    multiplier: Multiplier,
  ): Promise<(a: Panel) => Promise<Elements>> {
    const resident = await multiplier.keep(panel);
    this.#residents.set(key, resident, { size: bytes });
    this.#panels.drop(key);
    return (a) => resident.multiply(a);
  }
}
