/** Everything that changes who may do what, or what is to be done, is one line in the audit log; what changes nothing is none. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { newKeyPair, readJoinToken, type TaskId } from '@muster/shared';
import { enrol } from '@muster/shared/io';
import { Request } from 'zeromq';
import { verifyAuditLog } from '../../src/trust/audit-check.ts';
import { auditActions, type AuditAction } from '../../src/trust/audit-log.ts';
import { Trust } from '../../src/trust/trust.ts';
import { ask, closeRawPeers, handshakeOf } from './raw-peer.ts';
import { echoSubmission, TrustRig } from './trust-rig.ts';

const TASK = '00000000000000aa' as TaskId;

let rig: TrustRig;

beforeAll(async () => {
  rig = await TrustRig.start({ quota: { tasks: 7 } });
}, 60_000);

afterEach(() => closeRawPeers());

afterAll(() => rig.stop(), 30_000);

const submission = echoSubmission(TASK);

/** `action outcome` of each line that is written meanwhile. */
async function linesOf(act: () => Promise<unknown>): Promise<string[]> {
  const { log } = await rig.meanwhile(act);
  return log.map(({ action, outcome }) => `${action} ${outcome}`);
}

const twice = (act: () => unknown) => async (): Promise<void> => {
  await act();
  await act();
};

describe('one line is written of', () => {
  test('a start, with the configuration', () => {
    const [start] = rig.auditLog();
    expect(start).toMatchObject({ action: 'head-started', outcome: 'done', actor: 'local' });
    expect(start?.detail).toBe(
      `127.0.0.1:${rig.endpoint.portBase}; no HTTP; no JWT; no broker; disk 64.0 GiB; each user 7 tasks, 32.0 GiB, 400 leases`,
    );
  });

  test('a handshake with a key that nobody knows', async () => {
    const head = readJoinToken(rig.createToken()).headKey;
    const knock = (): Promise<string> => handshakeOf(rig.endpoint, 'clients', { own: newKeyPair(), head });
    expect(await linesOf(knock)).toEqual(['handshake refused']);
  });

  test('a token that is made, used, and revoked', async () => {
    let line = '';
    expect(await linesOf(async () => Promise.resolve((line = rig.createToken({ role: 'viewer' }))))).toEqual([
      'token-created done',
    ]);
    const applicant = { name: 'one', provider: '', keys: newKeyPair() };
    expect(await linesOf(twice(() => enrol(Request, line, applicant)))).toEqual(['enrolled done']);
    const { id } = readJoinToken(line);
    expect(await linesOf(twice(() => rig.administer('token-revoke', { id })))).toEqual(['token-revoked done']);
    const late = (): Promise<unknown> =>
      enrol(Request, line, { name: 'two', provider: '' }).catch((error: unknown) => error);
    expect(await linesOf(late)).toEqual(['enrolled refused']);
  });

  test('a member that is approved', async () => {
    const line = rig.createToken({ role: 'viewer', requireApproval: 'true' });
    const { membership } = await enrol(Request, line, { name: 'patient', provider: '' });
    const approve = (): unknown => rig.administer('node-approve', { id: membership.identity });
    expect(await linesOf(twice(approve))).toEqual(['node-approved done']);
  });

  test('a node that registers, is drained, works again, and is revoked', async () => {
    const keys = await rig.enrolled('provider');
    expect(await linesOf(() => rig.register(keys))).toEqual(['registered done']);
    const { identity: id } = keys;
    expect(await linesOf(twice(() => rig.administer('node-drain', { id })))).toEqual(['node-drained done']);
    expect(await linesOf(twice(() => rig.administer('node-undrain', { id })))).toEqual(['node-undrained done']);
    expect(await linesOf(async () => Promise.resolve(rig.administer('node-revoke', { id })))).toEqual([
      'node-revoked done',
    ]);
  });

  test('a task that is submitted and cancelled', async () => {
    const keys = await rig.enrolled('submitter');
    const submit = (): Promise<unknown> => ask(rig.endpoint, 'clients', { keys, type: 'submit', fields: submission });
    const cancel = (): Promise<unknown> =>
      ask(rig.endpoint, 'clients', { keys, type: 'cancel', fields: { request: 1, task: TASK } });
    expect(await linesOf(twice(submit))).toEqual(['submitted done']);
    expect(await linesOf(twice(cancel))).toEqual(['cancelled done']);
  });

  test('a message that its sender may not send', async () => {
    const keys = await rig.enrolled('viewer');
    const submit = (): Promise<unknown> => ask(rig.endpoint, 'clients', { keys, type: 'submit', fields: submission });
    expect(await linesOf(submit)).toEqual(['message refused']);
  });
});

test('after all that the log is whole, and knows every kind of line but those that other tests write', () => {
  const written = new Set(rig.auditLog().map(({ action }) => action));
  // strangers.int.test.ts, handshake-limits.int.test.ts, lying-node.chaos.test.ts, visitors.int.test.ts
  const elsewhere: readonly AuditAction[] = [
    'subscription',
    'address-paused',
    'quarantined',
    'http-key',
    'http-request',
  ];
  expect(auditActions.filter((action) => !written.has(action) && !elsewhere.includes(action))).toEqual([]);
  expect(verifyAuditLog(Trust.auditFileIn(rig.head.options.stateDirectory)).lines).toBe(rig.auditLog().length);
});
