import { readFileSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import {
  bytesOf,
  parameterCount,
  parseModel,
  SHARD_HEADER_BYTES,
  ShardGradient,
  shardHeader,
  type BlockId,
  type BlockView,
  type Elements,
  type GraphRunner,
  type Model,
  type ShardSums,
  type TaskId,
  type TrainWork,
} from '@muster/shared';
import { freeMemory } from '@muster/shared/io';
import type { OpenGraph, StepTerms } from '../backends/step-backend.ts';
import { createTileFile, readBlocks } from '../block-files.ts';
import { BufferPool } from '../buffer-pool.ts';
import type { Done } from '../compute-protocol.ts';
import type { Kernel, KernelJob } from '../kernel.ts';
import { timed, timedAwait, doneIn, noTimings, type Timings } from '../timings.ts';
import { GradientEncoder, type EncodedSums } from './gradient-encoder.ts';
import { SampleBlocks, type BlockLayout } from './sample-blocks.ts';
import type { VerifiedSteps } from './verified-steps.ts';

export interface TrainingKernelOptions extends VerifiedSteps {
  /** Memory for blocks of samples. */
  readonly cacheBytes: number;
  /** Applied to the vector of each shard; tests of verification use it to make wrong ones. */
  readonly finish?: (elements: Elements) => void;
}

/** What is kept open for a model: its sessions and the memory of its weights. */
interface Program extends BlockLayout {
  readonly gradient: ShardGradient;
  readonly weights: Float32Array<ArrayBuffer>;
  readonly graphs: OpenGraph[];
  weightsId: BlockId | '';
}

interface ProgramTerms extends BlockLayout, StepTerms {}

const PROGRAMS_MAX = 4;

/** Shards of training rounds: loss and gradient over some samples, or the change of the weights after some local steps. */
export class TrainingKernel implements Kernel {
  readonly #options: TrainingKernelOptions;
  readonly #blocks: SampleBlocks;
  readonly #programs = new LRUCache<string, Program>({
    max: PROGRAMS_MAX,
    dispose: ({ graphs }) => graphs.forEach((graph) => graph.release()),
  });
  readonly #encoder = new GradientEncoder();
  #gatherAhead: () => void = () => undefined;
  #timings: Timings = noTimings();

  constructor(options: TrainingKernelOptions) {
    this.#options = options;
    this.#blocks = new SampleBlocks(options.cacheBytes, new BufferPool());
  }

  /** Rejects with BAD_MODEL, SHAPE_MISMATCH or BAD_DATA for blocks that are not what the work says. */
  async run(job: KernelJob): Promise<Done> {
    this.#timings = noTimings();
    const work = job.work as TrainWork;
    const program = timed(this.#timings, 'readMs', () => this.#program(work, job.pathOf));
    const sums = await this.#sums(program, job);
    const bytes = timed(this.#timings, 'writeMs', () => this.#write(job, sums));
    freeMemory(sums.vector);
    return doneIn(this.#timings, bytes, this.#options.fallback);
  }

  /** Runs while the head computes the next weights. The next shard needs mostly the blocks of the latest one. */
  idle(): void {
    const gatherAhead = this.#gatherAhead;
    this.#gatherAhead = () => undefined;
    try {
      gatherAhead();
    } catch {
      // A block is missing or no longer in memory: the next shard will report it.
    }
  }

  /** Tasks with the same model share a program; `set` tells their samples apart. */
  async #sums(program: Program, { task: set, pathOf, ...job }: KernelJob): Promise<ShardSums> {
    const work = job.work as TrainWork;
    const places = new Map(work.numbers.map((number, at) => [number, work.blocks[at]!]));
    const blockAt = (number: number): BlockView => {
      const id = places.get(number);
      if (id === undefined) throw new Error(`block ${number} is not in the work`);
      return this.#blocks.fetch(id, program, pathOf);
    };
    const start = performance.now();
    const before = this.#timings.computeMs;
    const sums = await program.gradient.run(work, { weights: program.weights, set, blockAt });
    this.#gatherAhead = () => program.gradient.gatherAhead({ set, blockAt });
    this.#timings.readMs += performance.now() - start - (this.#timings.computeMs - before);
    return sums;
  }

  #program({ model, weights, layout, deterministic }: TrainWork, pathOf: KernelJob['pathOf']): Program {
    const key = `${model} ${deterministic} ${JSON.stringify(layout)}`;
    let program = this.#programs.get(key);
    if (!program) {
      const parsed = parseModel(JSON.parse(readFileSync(pathOf(model), 'utf8')));
      this.#programs.set(key, (program = this.#openProgram(parsed, { layout, deterministic, key })));
    }
    if (program.weightsId !== weights) readWeights(program, weights, pathOf(weights));
    return program;
  }

  #openProgram(model: Model, { key, layout, deterministic }: ProgramTerms): Program {
    const graphs: OpenGraph[] = [];
    const gradient = new ShardGradient({
      model,
      layout,
      open: async (kind) => {
        const graph = await this.#options.steps.open(model, kind, { deterministic });
        graphs.push(graph);
        return this.#timed(graph);
      },
    });
    return { key, layout, gradient, weights: new Float32Array(parameterCount(model)), graphs, weightsId: '' };
  }

  #timed(graph: OpenGraph): GraphRunner {
    return {
      run: (inputs) => timedAwait(this.#timings, 'computeMs', () => graph.run(inputs)),
    };
  }

  #write({ task, work, out }: KernelJob, sums: ShardSums): number {
    const { payload, ...encoded } = this.#encoded(task, work as TrainWork, sums);
    const bytes = SHARD_HEADER_BYTES + payload.length;
    const file = createTileFile(out, bytes);
    try {
      file.write(shardHeader({ ...sums, ...encoded }));
      file.write(payload);
    } finally {
      file.close();
    }
    return bytes;
  }

  #encoded(task: TaskId, work: TrainWork, sums: ShardSums): EncodedSums {
    if (work.kind === 'evaluate') return { loss: sums.loss, number: 0, after: 0, payload: new Uint8Array() };
    this.#options.finish?.(sums.vector);
    return this.#encoder.encode(task, work, sums);
  }
}

function readWeights(program: Program, id: BlockId, path: string): void {
  program.weightsId = '';
  readBlocks([path], bytesOf(program.weights));
  program.weightsId = id;
}
