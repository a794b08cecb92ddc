/** Fewer bytes in less time say more of the answer's way than of the link. */
const SAMPLE_BYTES_MIN = 2 ** 20;
const SAMPLE_MS_MIN = 50;
/** Others on the link make a sample slower and nothing makes one faster; a link that has changed is known after so many. */
const SAMPLES = 8;

/** How fast bytes come from the head, seen in what is fetched. A sample lasts for as long as something is under way. */
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
