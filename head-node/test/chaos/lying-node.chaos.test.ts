/** A node that computes, and returns something else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/trust/audit-log.ts';
import { Trust } from '../../src/trust/trust.ts';
import { FaultRig } from './fault-rig.ts';
import { startLiar } from './liar.ts';

let rig: FaultRig;

const quarantines = (): AuditEntry[] =>
  readFileSync(Trust.auditFileIn(join(rig.cluster.cluster.directory, 'head')), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditEntry)
    .filter(({ action }) => action === 'quarantined');

describe('a node that returns wrong tiles', () => {
  beforeAll(async () => {
    rig = await FaultRig.start({ providers: 1 });
  }, 60_000);

  afterAll(() => rig.end(), 30_000);

  test('is caught at every one of them, and the result is right', async () => {
    const liar = await startLiar(rig, 'all');
    try {
      const work = await rig.multiply([3000, 3000, 3000], 2);
      const outcome = await rig.expectRight(work);
      expect(outcome['rejectedTiles']).toBeGreaterThan(0);
      expect(outcome).toMatchObject({ verifiedTiles: outcome['tiles'] });
      const node = (await rig.observer.nodes()).find(({ name }) => name === 'liar');
      expect(node).toMatchObject({ accepted: 0, rejected: outcome['rejectedTiles'] });
      expect(quarantines()).toMatchObject([{ outcome: 'done', actor: 'head', object: node?.id }]);
    } finally {
      await liar.stop();
    }
  }, 60_000);
});
