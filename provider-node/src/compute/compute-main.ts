/** Entry point of a compute process: one device, one job at a time. It ends when its stdin closes, so it never outlives its provider. */
import { constants, setPriority } from 'node:os';
import { isMusterError, MusterError } from '@muster/shared';
import { serveFrames } from '@muster/shared/io';
import { openDevice } from './backends/device.ts';
import type { ComputeCalls, Done, Job, Opened, OpenRequest } from './compute-protocol.ts';
import type { Kernels } from './kernels.ts';
import { kernelsOf } from './device-kernels.ts';

let kernels: Kernels | null = null;
let running = false;

async function open(request: OpenRequest): Promise<Opened> {
  try {
    const device = await openDevice(request);
    kernels = kernelsOf(device, request);
    return { note: device.note, served: device.served, gflops: device.gflops };
  } catch (error) {
    throw new MusterError('DEVICE_UNAVAILABLE', 'the device cannot be used', { why: reasonOf(error), cause: error });
  }
}

async function run(job: Job): Promise<Done> {
  running = true;
  try {
    if (!kernels) throw new MusterError('BUG', 'a job came before the device was open');
    return await kernels.run(job);
  } catch (error) {
    throw isMusterError(error) ? error : computeFailed(error);
  } finally {
    running = false;
    setImmediate(idle);
  }
}

/** Runs after the answer has been handed on and a waiting job, if any, has begun. */
function idle(): void {
  if (!running) kernels?.idle();
}

const computeFailed = (cause: unknown): MusterError =>
  new MusterError('COMPUTE_FAILED', 'the subtask could not be computed', { why: reasonOf(cause), cause });

/** The first line, without the source file and condition that native errors start with; what follows it is a stack in C++. */
const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .split('\n', 1)[0]!
    .replace(/^\/\S+\.(?:cc|h):\d+ .*? was false\. /, '')
    .slice(0, 500);

/** Messaging comes first: a heartbeat must not wait for a core that is computing. */
function stepBack(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it; results do not depend on it.
  }
}

stepBack();
await serveFrames<ComputeCalls>({ open, run });
