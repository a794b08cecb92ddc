import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf, MusterError, type Elements, type TaskId } from '@muster/shared';
import type { OperandFiles, Tile } from './calls.ts';
import { TaskCheck, type CheckTools } from './task-check.ts';

const TASK = '0000000000000000' as TaskId;
/** One block for each operand. */
const SIDE = 64;
/** Enough for the loops to be compiled: the first real check is then as fast as the others (10 ms instead of 40 at 2048). */
const ROUNDS = 40;

/** Run at start: a right product must pass and one with a zeroed row must not, or no verdict of this process can be trusted. Throws BUG. */
export async function selfTest(tools: CheckTools): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'muster-verify-'));
  try {
    const { operands, right, wrong } = await writeProduct(directory, tools);
    for (let round = 0; round < ROUNDS; round++) {
      // Ids of their own, so that B is projected anew each time.
      const check = await TaskCheck.prepare({ ...operands, bIds: [`self-test ${round}`] }, tools);
      const verdicts = [await check.check(right), await check.check(wrong)];
      if (verdicts[0]?.ok !== true || verdicts[1]?.ok !== false) throw failed();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface WrittenProduct {
  readonly operands: OperandFiles;
  readonly right: Tile;
  readonly wrong: Tile;
}

async function writeProduct(directory: string, { products }: CheckTools): Promise<WrittenProduct> {
  const write = (name: string, elements: Elements): string => {
    writeFileSync(join(directory, name), bytesOf(elements), { mode: 0o600 });
    return join(directory, name);
  };
  const [a, b] = [1, 2].map((seed) => Float32Array.from({ length: SIDE * SIDE }, (_, at) => Math.sin(seed + at * at)));
  await products.prepare('float32');
  const c = await products.multiply(
    { dtype: 'float32', elements: a as Float32Array, rows: SIDE, depth: SIDE },
    b as Float32Array,
  );
  const spec = { m: SIDE, k: SIDE, n: SIDE, dtype: 'float32', grid: 'auto' } as const;
  const operands = { spec, aPaths: [write('a', a as Float32Array)], bPaths: [write('b', b as Float32Array)], bIds: [] };
  const whole = { task: TASK, rows: [0, SIDE], columns: [0, SIDE] } as const;
  const right = { ...whole, path: write('right', c) };
  return { operands, right, wrong: { ...whole, path: write('wrong', c.fill(0, 0, SIDE)) } };
}

const failed = (): MusterError =>
  new MusterError('BUG', 'the check of products does not work on this machine', {
    why: 'a right product was refused, or a wrong one accepted',
    fix: 'reinstall onnxruntime-node, and report this',
  });
