/** A node whose packets are dropped from one moment to the next: nothing is reset and nobody is told, as when a cable is pulled. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { givenAgain, NetworkNamespace, skipBecause, waitUntil } from '@muster/shared/testkit';
import { FaultRig, type Shape } from './fault-rig.ts';

const SHAPE: Shape = [4096, 4096, 4096];
const NODE = 'remote';
const NODES = 3;
const TAKEN_OVER_MAX_MS = 3000;
/** The scheduled long run leaves it away until the head has given it up. */
const AWAY = process.env['MUSTER_CHAOS'] === 'long' ? ['lost'] : ['suspect', 'lost'];

const reason = NetworkNamespace.missing();
const namespaceTest = reason === '' ? test : skipBecause(reason);

let namespace: NetworkNamespace;
let rig: FaultRig;

beforeAll(async () => {
  if (reason !== '') return;
  namespace = NetworkNamespace.open();
  rig = await FaultRig.start({ providers: NODES - 1, headArguments: ['--host', '0.0.0.0'] });
  await rig.rejoin(NODE, ['--head', namespace.host, '--blocks', 'wire'], namespace);
}, 60_000);

afterAll(async () => {
  if (reason !== '') return;
  namespace.heal();
  await rig.end();
  namespace.close();
}, 30_000);

describe('a node that vanishes without a word', () => {
  namespaceTest(
    'is replaced within three seconds, and is back under its old id when its network is',
    async () => {
      const work = await rig.multiply(SHAPE, NODES);
      await rig.reached(work, 0.2);
      const { id } = await rig.busyNode(work, NODE);
      const cutMs = Date.now();
      namespace.cut();
      const outcome = await rig.expectRight(work);
      expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'], rejectedTiles: 0 });
      const takenOver = givenAgain(rig.leasesOf(work.task), { victim: id, sinceMs: cutMs });
      expect(takenOver.length).toBeGreaterThan(0);
      expect(Math.max(...takenOver)).toBeLessThan(TAKEN_OVER_MAX_MS);
      await stateIs(id, AWAY);
      namespace.heal();
      await stateIs(id, ['ready']);
      expect(await rig.observer.nodes()).toHaveLength(NODES);
      const next = await rig.multiply([2048, 2048, 2048], NODES);
      await rig.expectRight(next);
      for (const product of [work, next]) await rig.expectOnce(product);
    },
    90_000,
  );
});

const stateIs = (id: string, wanted: readonly string[]): Promise<unknown> =>
  waitUntil(async () => wanted.includes((await rig.node(id))?.state ?? ''), {
    what: `the node is ${wanted.join(' or ')}`,
    timeoutMs: 30_000,
  });
