import type { StripeProbe } from './stripe-probe.ts';

/** A B of 65,536 x 65,536 takes 128 MiB of projections; smaller ones of several tasks stay. */
const CACHE_BYTES_MAX = 192 * 2 ** 20;

/** Probes of B's stripes by the ids of their blocks: a B that is used again is not read again. Least recently used first out. */
export class ProbeCache {
  readonly #probes = new Map<string, StripeProbe>();
  #bytes = 0;

  async get(key: string, draw: () => Promise<StripeProbe>): Promise<StripeProbe> {
    const known = this.#probes.get(key);
    if (known !== undefined) {
      this.#probes.delete(key);
      this.#probes.set(key, known);
      return known;
    }
    const drawn = await draw();
    this.#probes.set(key, drawn);
    this.#bytes += bytesOfProbe(drawn);
    this.#evict();
    return drawn;
  }

  #evict(): void {
    for (const [key, probe] of this.#probes) {
      if (this.#bytes <= CACHE_BYTES_MAX) return;
      this.#probes.delete(key);
      this.#bytes -= bytesOfProbe(probe);
    }
  }
}

const bytesOfProbe = ({ projected, probe }: StripeProbe): number =>
  projected.byteLength + probe.parts.reduce((sum, part) => sum + part.byteLength, 0);
