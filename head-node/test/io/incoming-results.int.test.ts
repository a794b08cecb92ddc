import { afterEach, expect, test } from '@jest/globals';
import type { SessionId, TaskId } from '@muster/shared';
import { BlockStore, incomingBlockName, incomingResultName, taskOfIncoming } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IncomingResults } from '../../src/io/incoming-results.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const TASK = '00000000000000aa' as TaskId;
const OTHER = '00000000000000bb' as TaskId;
const session = 'a'.repeat(32) as SessionId;

async function open(): Promise<{ incoming: IncomingResults; names: () => string[] }> {
  const blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 1000 });
  writeFileSync(blocks.incomingPath('spare'), '');
  return { incoming: new IncomingResults(blocks), names: () => blocks.incomingNames().toSorted() };
}

/** Of this process; only Linux tells. */
const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

test('chunks make a file, which goes with its lease, and no descriptor stays', async () => {
  const { incoming, names } = await open();
  const result = { task: TASK, lease: 7, session };
  const before = descriptors();
  incoming.write(result, Buffer.from('ab'), 0);
  incoming.write(result, Buffer.from('cd'), 2);
  expect(incoming.bytesOf(result)).toBe(4);
  expect(readFileSync(incoming.pathOf(result), 'utf8')).toBe('abcd');
  incoming.discard(result);
  expect(names()).toEqual(['spare']);
  expect(descriptors()).toBe(before);
});

test('a result is whole when every byte of it has come in one session', async () => {
  const { incoming } = await open();
  const [first, second] = [session, 'b'.repeat(32) as SessionId].map((of) => ({ task: TASK, lease: 7, session: of }));
  expect(incoming.isWhole(first!, 6)).toBe(false);
  incoming.write(first!, Buffer.from('ab'), 0);
  incoming.write(first!, Buffer.from('ef'), 4);
  expect(incoming.bytesOf(first!)).toBe(6);
  expect(incoming.isWhole(first!, 6)).toBe(false);
  for (const [at, text] of ['CD', 'AB', 'EF'].entries()) {
    expect(incoming.isWhole(second!, 6)).toBe(false);
    incoming.write(second!, Buffer.from(text), [2, 0, 4][at]!);
  }
  expect([incoming.isWhole(second!, 6), incoming.isWhole(first!, 6)]).toEqual([true, false]);
  expect(readFileSync(incoming.pathOf(second!), 'utf8')).toBe('ABCDEF');
  incoming.closeAll();
});

test('what is left of a task goes at its end, and what comes later when it is swept', async () => {
  const { incoming, names } = await open();
  incoming.write({ task: TASK, lease: 1, session }, Buffer.from('x'), 0);
  incoming.write({ task: OTHER, lease: 2, session }, Buffer.from('x'), 0);
  incoming.end(TASK);
  expect(names()).toEqual([incomingResultName(OTHER, 2), 'spare']);
  writeFileSync(incoming.pathOf({ task: TASK, lease: 3 }), 'late');
  incoming.sweep((task) => task === OTHER);
  expect(names()).toEqual([incomingResultName(OTHER, 2), 'spare']);
  incoming.closeAll();
});

test('blocks that the trainer made, and nobody took over, go as results do', async () => {
  const { incoming, names } = await open();
  const [made, others] = [TASK, OTHER].map((task) => incomingBlockName(task, 4, 'weights'));
  for (const name of [made!, others!])
    writeFileSync(join(dirname(incoming.pathOf({ task: TASK, lease: 1 })), name), 'x');
  incoming.end(TASK);
  expect(names()).toEqual([others, 'spare']);
  incoming.sweep(() => false);
  expect(names()).toEqual(['spare']);
  expect(taskOfIncoming(made!)).toBeNull();
});
