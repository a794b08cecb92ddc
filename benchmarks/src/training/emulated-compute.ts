import { bytesOf, MusterError, shardHeader, SHARD_HEADER_BYTES, type ShardSums, type TrainWork } from '@muster/shared';
import { writeOverSpare } from '@muster/shared/io';
import type { Compute, Done, Job } from '@muster/provider-node';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface Emulation {
  /** Sums of one sample. All samples are equal, and the weights do not move. */
  readonly ofSample: ShardSums;
  readonly msPerSample: number;
}

/**
 * A device that waits for as long as one core would compute, and then returns the result that this would have given: many of them fit on
 * one machine, and an audit that recomputes a shard finds nothing wrong.
 */
export class EmulatedCompute implements Compute {
  readonly pid = process.pid;
  readonly startMs = 0;
  readonly device: Compute['device'] = {
    kind: 'cpu',
    label: 'emulated',
    threads: 1,
    memoryBytes: 2 ** 26,
    gflops: { float32: 50, float64: 25, int8: 50 },
    refused: [],
  };
  readonly #emulation: Emulation;
  readonly #vector: Float32Array;
  #before: Promise<unknown> = Promise.resolve();

  constructor(emulation: Emulation) {
    this.#emulation = emulation;
    this.#vector = new Float32Array(emulation.ofSample.vector.length);
  }

  run(job: Job): Promise<Done> {
    const done = this.#before.then(() => this.#compute(job));
    this.#before = done.catch(() => undefined);
    return done;
  }

  async abort(): Promise<void> {
    await this.#before;
  }

  async stop(): Promise<void> {
    await this.#before;
  }

  async #compute({ taskType, work, out }: Job): Promise<Done> {
    if (taskType !== 'train') throw new MusterError('COMPUTE_FAILED', 'only training is emulated', { why: taskType });
    const { from, to } = work as TrainWork;
    const computeMs = (to - from) * this.#emulation.msPerSample;
    await setTimeout(computeMs);
    const startMs = performance.now();
    const result = this.#resultOf(to - from);
    writeOverSpare(dirname(dirname(out)), out, result);
    return { bytes: result.length, computeMs, readMs: 0, writeMs: performance.now() - startMs, fallback: '' };
  }

  #resultOf(samples: number): Uint8Array {
    const { loss, correct, vector } = this.#emulation.ofSample;
    for (let at = 0; at < vector.length; at++) this.#vector[at] = samples * vector[at]!;
    const result = new Uint8Array(SHARD_HEADER_BYTES + this.#vector.byteLength);
    result.set(shardHeader({ samples, loss: samples * loss, correct: samples * correct }));
    result.set(bytesOf(this.#vector), SHARD_HEADER_BYTES);
    return result;
  }
}
