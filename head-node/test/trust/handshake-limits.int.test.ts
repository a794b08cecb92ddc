/** Addresses that knock too often. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { enrolmentKeys, limits, newKeyPair, silentLogger } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { Trust } from '../../src/trust/trust.ts';
import { closeRawPeers, handshakeOf } from './raw-peer.ts';
import { TrustRig, type Enrolled } from './trust-rig.ts';

describe('strangers of one address', () => {
  let rig: TrustRig;
  let member: Enrolled;

  beforeAll(async () => {
    rig = await TrustRig.start();
    member = await rig.enrolled('viewer');
  }, 60_000);

  afterEach(() => closeRawPeers());

  afterAll(() => rig.stop(), 30_000);

  test('get no answer after too many failures; one line tells of it, and who is enrolled there gets in', async () => {
    const knock = (): Promise<string> => handshakeOf(rig.endpoint, 'clients', { own: newKeyPair(), head: member.head });
    for (let at = 0; at < limits.failedHandshakes.value; at += 1) expect(await knock()).toBe('handshake:error:auth');
    const paused = rig.auditLog().filter(({ action }) => action === 'address-paused');
    expect(paused).toMatchObject([{ outcome: 'done', actor: 'head', object: '127.0.0.1' }]);
    const { result, log, refused } = await rig.meanwhile(knock);
    expect([result, log, refused]).toEqual(['handshake:error:other', [], 0]);
    expect(rig.head.counters()['handshakesCut']).toBeGreaterThan(0);
    expect(await handshakeOf(rig.endpoint, 'clients', member)).toBe('handshake');
  });
});

describe('an address', () => {
  const directories = new TemporaryDirectories();
  afterAll(() => directories.removeAll());

  test('that shakes hands too often is cut for now, but neither who is enrolled there nor this machine’s own programs', () => {
    const trust = new Trust({
      stateDirectory: directories.make(),
      headId: 'head',
      logger: silentLogger,
      isTask: () => false,
    });
    const wish = { role: 'provider', ttlMs: 60_000, uses: 1, requireApproval: false } as const;
    const token = trust.roster.issue(wish);
    const { publicKey } = enrolmentKeys(token);
    const member = { publicKey: newKeyPair().publicKey, name: 'neighbour', provider: 'a'.repeat(16) };
    trust.roster.enrol(`token ${token.id}`, member);
    const answer = (address: string, key = publicKey): string =>
      trust.authenticate({ domain: 'registration', address, publicKey: key });
    const burst = Array.from({ length: limits.handshakeBurst.value }, () => answer('10.0.0.1'));
    expect(new Set(burst)).toEqual(new Set(['in']));
    // A few more are allowed for the time that those took.
    const beyond = Array.from({ length: limits.handshakeBurst.value }, () => answer('10.0.0.1'));
    expect(beyond).toContain('cut');
    expect([answer('10.0.0.2'), answer('10.0.0.1', trust.localKeys.publicKey)]).toEqual(['in', 'in']);
    expect(answer('10.0.0.1', member.publicKey)).toBe('in');
    trust.close();
  });
});
