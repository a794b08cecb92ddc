import { afterEach, expect, test } from '@jest/globals';
import { decode, encode, silentLogger, type SessionId } from '@muster/shared';
import { BlockStore } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { readFileSync } from 'node:fs';
import type { HeadEvent } from '../../src/core/events.ts';
import { IncomingResults } from '../../src/io/incoming-results.ts';
import { ResultCollector } from '../../src/io/result-collector.ts';
import { ClusterRig, ofType } from '../core/cluster-rig.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

/** A lease of a node, and what the collector makes of what its holder and others send. */
test.each([
  { what: 'all of it', halves: [0, 1], outcome: 'returned' },
  { what: 'its end only', halves: [1], outcome: 'bytes-missing' },
])('of a result its holder sends $what: $outcome, whatever others say', async ({ halves, outcome }) => {
  const rig = new ClusterRig();
  const session = rig.join('a', { credit: 1, sharesStore: false });
  const task = rig.submit('matrix_mult', { m: 64, k: 64, n: 64, dtype: 'float32', grid: 'auto' });
  rig.bindAll(task);
  const [order] = ofType(rig.effects, 'send-lease');
  const others = [rig.join('b', { sharesStore: false }), 'f'.repeat(32) as SessionId];
  const blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 2 ** 20 });
  const incoming = new IncomingResults(blocks);
  const heard: HeadEvent[] = [];
  const { lease } = order!;
  const total = 64 * 64 * 4;
  const half = (offset: number, byte: number): Uint8Array[] => [
    encode('resultChunk', { session, task, lease, offset, total }),
    Buffer.alloc(total / 2, byte),
  ];
  const error = { code: 'BUG', what: '', why: '', fix: '' } as const;
  const noise = others.flatMap((other) => [
    [encode('failed', { session: other, task, lease, error })],
    [encode('result', { session: other, task, lease, bytes: 1, path: '', computeMs: 1, fetchMs: 1 }), Buffer.of(7)],
    [encode('resultChunk', { session: other, task, lease, offset: 0, total }), Buffer.alloc(total, 9)],
  ]);
  const collector = new ResultCollector({
    core: {
      state: rig.state,
      post: (event: HeadEvent) => void heard.push(event),
      returned: (event: HeadEvent) => void heard.push(event),
    },
    incoming,
    gate: {
      decode: (_entrance, frames) => decode(frames),
      admit: () => ({ identity: 'x', name: 'x', roles: [], provider: null }),
    },
    logger: silentLogger,
  });
  const announced = { session, task, lease, bytes: total, path: '', computeMs: 1, fetchMs: 1 };
  const chunks = halves.map((at) => half((at * total) / 2, at + 1));
  const sent = [...chunks.slice(0, -1), ...noise, ...chunks.slice(-1), [encode('result', announced)]];
  const socket = {
    async *[Symbol.asyncIterator]() {
      for (const frames of sent) yield frames.map((frame) => Buffer.from(frame));
      return undefined;
    },
  };
  await collector.run(socket, { origin: 'encrypted', channel: 'results' });
  const content = readFileSync(incoming.pathOf({ task, lease }));
  expect([content.length, content[0], content.at(-1)]).toEqual([total, halves[0] === 0 ? 1 : 0, 2]);
  expect(heard.at(-1)).toMatchObject({ type: outcome, session, lease });
});
