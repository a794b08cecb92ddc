/** The compute process: one tile after the other, in the order of the calls. Mirrors provider-node/src/compute/compute.ts. */
import type { Draw } from '../draw.ts';
import type { SimProcess } from '../sim-process.ts';

/** How a tile ends; 'wedged': never, unless it is aborted. */
export type Fate = 'right' | 'wrong' | 'crash' | 'no room' | 'wedged';
export type Failure = 'aborted' | 'the process died' | 'no room';

export interface Job {
  readonly durationMs: number;
  readonly fate: () => Fate;
  readonly done: (correct: boolean) => void;
  readonly failed: (why: Failure) => void;
}

const RESPAWN_MS = 300;
const CRASH_MS = 20;

export class Compute {
  readonly #process: SimProcess;
  readonly #draw: Draw;
  /** The first is being computed. */
  readonly #jobs: Job[] = [];
  #run = 0;

  constructor(process: SimProcess, draw: Draw) {
    this.#process = process;
    this.#draw = draw;
  }

  multiply(job: Job): void {
    if (this.#jobs.push(job) === 1) this.#begin(0);
  }

  abort(): void {
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#begin(RESPAWN_MS);
    job.failed('aborted');
  }

  #begin(afterMs: number): void {
    const run = (this.#run += 1);
    const [job] = this.#jobs;
    if (job === undefined) return;
    const fate = job.fate();
    if (fate === 'wedged') return;
    const durationMs = fate === 'crash' ? CRASH_MS : job.durationMs * this.#draw.between(0.9, 1.2);
    this.#process.after(afterMs + durationMs, () => {
      if (run === this.#run) this.#end(job, fate);
    });
  }

  #end(job: Job, fate: Fate): void {
    this.#jobs.shift();
    this.#begin(fate === 'crash' ? RESPAWN_MS : 0);
    if (fate === 'crash') job.failed('the process died');
    else if (fate === 'no room') job.failed('no room');
    else job.done(fate === 'right');
  }
}
