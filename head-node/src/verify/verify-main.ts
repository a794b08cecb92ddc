/** The verify process: one check at a time, in the order of the calls, on one thread. */
import { statSync } from 'node:fs';
import { toWireError, fromWireError, MusterError, type TaskId, type WireError } from '@muster/shared';
import { hashAt, serveFrames } from '@muster/shared/io';
import type { FileDigest, OperandFiles, Tile, Verdict, VerifyCalls } from './calls.ts';
import { FileBuffer } from './file-buffer.ts';
import { ProbeCache } from './probe-cache.ts';
import { Products } from './products.ts';
import { selfTest } from './self-test.ts';
import { TaskCheck } from './task-check.ts';

interface OpenTask {
  readonly check: TaskCheck | WireError;
  /** Time of the preparation that no verdict has carried yet. */
  unreportedMs: number;
}

const tools = {
  products: new Products(),
  probes: new ProbeCache(),
  operandBuffer: new FileBuffer(),
  tileBuffer: new FileBuffer(),
};
const tasks = new Map<TaskId, OpenTask>();

async function open(task: TaskId, operands: OperandFiles): Promise<void> {
  const startedMs = performance.now();
  const check = await TaskCheck.prepare(operands, tools).catch(toWireError);
  tasks.set(task, { check, unreportedMs: performance.now() - startedMs });
}

async function judge(tile: Tile): Promise<Verdict> {
  const startedMs = performance.now();
  const task = tasks.get(tile.task);
  if (task === undefined) throw new Error(`task ${tile.task} is not open`);
  if (!(task.check instanceof TaskCheck)) throw fromWireError(task.check);
  const verdict = await task.check.check(tile);
  const verifyMs = performance.now() - startedMs + task.unreportedMs;
  task.unreportedMs = 0;
  return { ...verdict, verifyMs };
}

function digest(path: string): FileDigest {
  const startedMs = performance.now();
  const [size, hash] = [statSync(path, { throwIfNoEntry: false })?.size, hashAt(path)];
  if (size === undefined || hash === undefined)
    throw new MusterError('BLOCK_MISSING', 'a result is not there', { why: `there is no ${path}` });
  return { bytes: size, digest: hash, verifyMs: performance.now() - startedMs };
}

await serveFrames<VerifyCalls>({
  ready: () => selfTest(tools).then(() => null),
  open: ({ task, operands }) => open(task, operands).then(() => null),
  check: judge,
  digest,
  close: (task) => {
    tasks.delete(task);
    return null;
  },
});
