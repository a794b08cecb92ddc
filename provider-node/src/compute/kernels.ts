import { MusterError, taskTypeNamed, type BlockId } from '@muster/shared';
import type { Done, Job } from './compute-protocol.ts';
import type { Kernel, KernelJob } from './kernel.ts';

/** How the kernel of each task type is opened, by the type's name. */
export type KernelOpeners = Readonly<Record<string, () => Promise<Kernel>>>;

/** The kernels of a device, each opened at its first job. */
export class Kernels {
  readonly #openers: KernelOpeners;
  readonly #opened = new Map<string, Kernel>();
  #latest: Kernel | null = null;

  constructor(openers: KernelOpeners) {
    this.#openers = openers;
  }

  async run(job: Job): Promise<Done> {
    const read = readJob(job);
    this.#latest = await this.#kernel(job.taskType);
    return this.#latest.run(read);
  }

  /** See Kernel. */
  idle(): void {
    this.#latest?.idle?.();
  }

  async #kernel(taskType: string): Promise<Kernel> {
    const known = this.#opened.get(taskType);
    if (known) return known;
    const open = this.#openers[taskType];
    if (!open) throw new MusterError('BUG', 'a compute process was given work that is not for it', { why: taskType });
    const kernel = await open();
    this.#opened.set(taskType, kernel);
    return kernel;
  }
}

/** Throws COMPUTE_FAILED unless there is a path for each block. */
export function readJob({ task, taskType, work, paths, out }: Job): KernelJob {
  const { work: read, blocks } = taskTypeNamed(taskType).readWork(work);
  if (blocks.length !== paths.length) throw misfit(`it has ${blocks.length} blocks and ${paths.length} files`);
  const places = new Map(blocks.map((id, at) => [id, paths[at]!]));
  return { task, work: read, pathOf: (id) => placeOf(places, id), out };
}

function placeOf(places: ReadonlyMap<BlockId, string>, id: BlockId): string {
  const path = places.get(id);
  if (path === undefined) throw misfit(`it has no block ${id}`);
  return path;
}

const misfit = (why: string): MusterError => new MusterError('COMPUTE_FAILED', 'the work is not consistent', { why });
