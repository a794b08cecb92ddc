import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encode, type ProviderId, type SessionId } from '@muster/shared';
import { manualClock, waitUntil } from '@muster/shared/testkit';
import type { LeaseOrder } from '../../src/core/effects.ts';
import { accepted, MirrorRig, NODE, stopRigs, TASK } from './mirror-rig.ts';

const OTHER = '00000000000000f2' as ProviderId;
const session = 'ab'.repeat(16) as SessionId;
const clock = manualClock();

let rig: MirrorRig;
let traffic: NodeJS.Timeout;

/** A head with a node whose queue does nothing, while the event stream does well. */
beforeEach(async () => {
  rig = new MirrorRig({ clock, maxSilenceMs: 500 });
  for (const node of [NODE, OTHER]) rig.mirror.admit(node);
  rig.broker.mute(`p.${NODE}.tasks`);
  await rig.start();
  startTraffic();
});

function startTraffic(): void {
  let index = 0;
  traffic = setInterval(() => rig.mirror.record(accepted(index++)), 10);
}

afterEach(async () => {
  clearInterval(traffic);
  rig.broker.unmute(`p.${NODE}.tasks`);
  await stopRigs();
});

const order = (lease: number, provider: ProviderId, durability: LeaseOrder['durability']): LeaseOrder => ({
  session,
  provider,
  durability,
  lease,
  task: TASK,
  taskType: 'echo',
  attempt: 1,
  ranges: [0, 1],
  work: null,
  payload: null,
});

test('a queue that confirms nothing brakes only as long as it may be slow', async () => {
  rig.mirror.copyLease(order(1, NODE, 'mirrored'), [encode('ok', {})]);
  clock.advance(1000);
  await waitUntil(() => rig.news.at(-1)?.congested === true, { what: 'the brake' });
  await waitUntil(() => rig.news.at(-1)?.congested === false, { what: 'the brake to be released' });
  clearInterval(traffic);
  await waitUntil(() => rig.mirror.report().outboxMessages === 1, { what: 'all others to be confirmed' });
  clock.advance(60_000);
  startTraffic();
  const before = rig.mirror.report().confirmed;
  await waitUntil(() => rig.mirror.report().confirmed > before + 20, { what: 'the others to go on' });
  expect(rig.news.map(({ state, congested }) => `${state} ${congested}`)).toEqual(['up false', 'up true', 'up false']);
});

test('a strict lease for such a node is given up, and that of another is sent', async () => {
  const ends: string[] = [];
  const endsOf = (lease: number): { send: () => void; fail: () => void } => ({
    send: () => void ends.push(`${lease} sent`),
    fail: () => void ends.push(`${lease} failed`),
  });
  rig.mirror.leaseFirst(order(1, NODE, 'strict'), 1, endsOf(1));
  rig.mirror.leaseFirst(order(2, OTHER, 'strict'), 1, endsOf(2));
  await waitUntil(() => ends.includes('1 failed'), { what: 'the first to be given up' });
  expect(ends).toEqual(['2 sent', '1 failed']);
  rig.mirror.leaseFirst(order(3, NODE, 'strict'), 1, endsOf(3));
  await waitUntil(() => ends.includes('3 failed'), { what: 'the next to be given up' });
  expect(await rig.mirror.complete(TASK)).toBe(0);
});
