import { describe, expect, test } from '@jest/globals';
import { limits, type TaskId } from '@muster/shared';
import { fetchCheckpoint } from '../../src/training/fetch-checkpoint.ts';
import { Transport } from '../../src/transport.ts';
import type { HeadLink } from '../../src/link/head-link.ts';

const CHUNK = limits.chunkBytesMax.value;
const TASK = '00000000000000aa' as TaskId;

/** Its step, in every byte. */
const fileOf = (step: number, length: number): Uint8Array => new Uint8Array(length).fill(step);

/** A head whose run replaces its checkpoint before some of the questions, and whose status knows nothing of it. */
function headWith(fileAt: (question: number) => Uint8Array): { transport: Transport; asked: number[] } {
  const asked: number[] = [];
  const ask = async (question: string, { offset, length }: { offset: number; length: number }) => {
    if (question === 'show') return { message: { status: { task: 'train', training: { checkpointStep: 1 } } } };
    const file = fileAt(asked.push(offset));
    return { message: { total: file.length }, payload: file.slice(offset, offset + length) };
  };
  return { transport: new Transport({ ask } as unknown as HeadLink), asked };
}

describe('a checkpoint', () => {
  test('that stays is fetched in pieces', async () => {
    const { transport, asked } = headWith(() => fileOf(1, 2 * CHUNK + 5));
    const bytes = await fetchCheckpoint(transport, TASK);
    expect(Buffer.compare(bytes, fileOf(1, 2 * CHUNK + 5))).toBe(0);
    expect(asked).toEqual([0, CHUNK, 2 * CHUNK, 0]);
  });

  test.each([2, 3])('that is replaced before question %d, by one of the same length, is fetched again', async (at) => {
    const { transport } = headWith((question) => fileOf(question < at ? 1 : 2, 2 * CHUNK + 5));
    const bytes = await fetchCheckpoint(transport, TASK);
    expect(Buffer.compare(bytes, fileOf(2, 2 * CHUNK + 5))).toBe(0);
  });

  test('that is replaced by a longer one, too', async () => {
    const { transport } = headWith((question) => fileOf(question, question < 3 ? CHUNK + 5 : CHUNK + 6));
    await expect(fetchCheckpoint(transport, TASK)).rejects.toMatchObject({ code: 'TASK_NOT_DONE' });
  });

  test('of one piece is asked for once', async () => {
    const { transport, asked } = headWith((question) => fileOf(question, 100));
    expect(Buffer.compare(await fetchCheckpoint(transport, TASK), fileOf(1, 100))).toBe(0);
    expect(asked).toEqual([0]);
  });
});
