import { readFileSync } from 'node:fs';

const SAMPLE_MS = 10;

/** How much more memory a process takes while it is watched. Needs /proc. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #before: number;
  readonly #timer: NodeJS.Timeout;
  #most: number;

  constructor(pid: number) {
    this.#pid = pid;
    this.#before = this.#most = residentBytes(pid);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sample();
  }

  get grownBytes(): number {
    return this.#most - this.#before;
  }

  #sample(): void {
    this.#most = Math.max(this.#most, residentBytes(this.#pid));
  }
}

/** 0 of one that is gone. */
function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
