/** A sample with fewer bytes in less time would measure latency rather than bandwidth. */
const SAMPLE_BYTES_MIN = 2 ** 20;
const SAMPLE_MS_MIN = 50;
/** The best of this many samples counts, because other traffic only makes a sample slower. A slower link is noticed after as many. */
const SAMPLES = 8;

/** Bandwidth from the head, observed on what is fetched. A sample lasts for as long as anything is in flight. */
export class LinkRate {
  readonly #samples: number[] = [];
  #beganMs = 0;
  #bytes = 0;

  /** Bytes per ms; 0 when it is not known yet. */
  get bytesPerMs(): number {
    return Math.max(0, ...this.#samples);
  }

  began(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#bytes = 0;
  }

  received(bytes: number): void {
    this.#bytes += bytes;
  }

  ended(nowMs: number): void {
    const ms = nowMs - this.#beganMs;
    if (this.#bytes === 0 || ms <= 0 || (this.#bytes < SAMPLE_BYTES_MIN && ms < SAMPLE_MS_MIN)) return;
    this.#samples.push(this.#bytes / ms);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }
}
