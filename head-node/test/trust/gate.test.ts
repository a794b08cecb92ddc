import { describe, expect, test } from '@jest/globals';
import {
  isMusterError,
  messageRights,
  messages,
  reachOf,
  roles,
  type Channel,
  type Envelope,
  type Message,
  type MessageType,
  type ProviderId,
  type Role,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import type { AuditEntry } from '../../src/trust/audit-log.ts';
import { Gate } from '../../src/trust/gate.ts';
import type { Peer } from '../../src/trust/peer.ts';

const types = Object.keys(messages) as MessageType[];
const TASK = '00000000000000aa' as TaskId;
const OTHERS_TASK = '00000000000000bb' as TaskId;
const SESSION = 'a'.repeat(32) as SessionId;
const NODE = '00000000000000f1' as ProviderId;

/** Seals of one peer for each role, of one with a token, and of nobody. */
const peers = new Map<string, Peer>([
  ...roles.map((role, at) => [seal(at + 1), { identity: role, name: role, roles: [role], provider: NODE }] as const),
  [seal(9), { identity: 'token 1', name: 'token 1', roles: [], provider: null }],
  [seal(10), { identity: 'nameless', name: 'nameless', roles: ['provider'], provider: null }],
]);

function seal(number: number): string {
  return `${number.toString(16).padStart(2, '0')}${'0'.repeat(14)}`;
}

const sealOfRole = (role: Role): number => roles.indexOf(role) + 1;

function gate(): { readonly gate: Gate; readonly log: AuditEntry[] } {
  const log: AuditEntry[] = [];
  const owners = new Map<TaskId, string>([
    [TASK, 'submitter'],
    [OTHERS_TASK, 'somebody'],
  ]);
  return {
    log,
    gate: new Gate({
      peerWithSeal: (given) => peers.get(given),
      ownerOf: (task) => owners.get(task),
      isTask: (task) => owners.has(task),
      audit: (entry) => void log.push(entry),
    }),
  };
}

/** As it comes out of the codec: the seal's first byte is the number. */
const envelope = (message: object, number: number): Envelope => ({
  message: message as Message,
  epoch: number,
  seq: 0,
  payload: null,
});

const channelOf = (type: MessageType): Channel => {
  if (['register', 'ready', 'bye', 'enrol', 'administer'].includes(type)) return 'registration';
  if (type === 'heartbeat') return 'heartbeats';
  return ['result', 'resultChunk', 'failed'].includes(type) ? 'results' : 'clients';
};

function outcome(type: MessageType, number: number, more: object = {}): string {
  const { gate: it, log } = gate();
  const values: Record<string, unknown> = { session: SESSION, provider: NODE, task: TASK, ...more };
  const fields = Object.fromEntries(messages[type].fields.map((field) => [field, values[field]]));
  try {
    return it.admit({ origin: 'encrypted', channel: channelOf(type) }, envelope({ ...fields, type }, number)).identity;
  } catch (error) {
    expect(it.counters.messagesRefused).toBe(1);
    expect(log).toMatchObject([{ action: 'message', outcome: 'refused', object: type }]);
    return isMusterError(error) ? error.code : String(error);
  }
}

describe('the gate', () => {
  test.each(roles)('lets a %s say what the table says, and nothing else', (role) => {
    for (const type of types) {
      const allowed = reachOf(type, [role]) !== null;
      expect([type, outcome(type, sealOfRole(role))]).toEqual([type, allowed ? role : 'FORBIDDEN']);
    }
  });

  test('lets who comes with a token enrol, and nothing else', () => {
    for (const type of types)
      expect([type, outcome(type, 9)]).toEqual([type, type === 'enrol' ? 'token 1' : 'FORBIDDEN']);
  });

  test('lets a stranger say nothing', () => {
    for (const type of types) expect([type, outcome(type, 0)]).toEqual([type, 'UNAUTHORIZED']);
  });

  test('takes a message on its own channel only', () => {
    const { gate: it } = gate();
    const channels: Channel[] = ['registration', 'heartbeats', 'results', 'tasks', 'clients'];
    for (const type of types)
      for (const channel of channels.filter((other) => other !== channelOf(type)))
        expect(() => it.admit({ origin: 'local', channel }, envelope({ type }, 0))).toThrow('wrong channel');
  });

  test('lets programs of its own account say all, under any provider id', () => {
    const { gate: it } = gate();
    for (const type of types.filter((each) => Object.keys(messageRights[each]).length > 0))
      expect(
        it.admit({ origin: 'local', channel: channelOf(type) }, envelope({ type, provider: 'x' }, 0)).identity,
      ).toBe('local');
  });

  test('takes a provider under its own id only', () => {
    expect(outcome('register', sealOfRole('provider'), { provider: '00000000000000f2' })).toBe('FORBIDDEN');
    expect(outcome('register', 10)).toBe('FORBIDDEN');
  });

  test.each(['result', 'resultChunk', 'failed', 'heartbeat', 'ready', 'bye'] as const)(
    'takes %s of the own session only',
    (type) => {
      const { gate: it } = gate();
      const other: Peer = { identity: 'another', name: 'another', roles: ['provider'], provider: null };
      const say = (): Peer =>
        it.admit(
          { origin: 'encrypted', channel: channelOf(type) },
          envelope({ type, session: SESSION, task: TASK }, sealOfRole('provider')),
        );
      it.own(SESSION, other);
      expect(say).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
      it.disown(SESSION);
      expect(say().identity).toBe('provider');
    },
  );

  test('knows the sessions of others, however often one registers', () => {
    const { gate: it } = gate();
    const [mine, yours] = [peers.get(seal(1))!, peers.get(seal(2))!];
    it.own(SESSION, mine);
    for (let at = 0; at < 10_001; at += 1) it.own(at.toString(16).padStart(32, '0') as SessionId, yours);
    expect(it.isOwn(SESSION, yours)).toBe(false);
    expect(it.sessionsOf(mine.identity)).toEqual([SESSION]);
    expect(it.sessionsOf(yours.identity)).toHaveLength(9999);
  });

  test.each(['show', 'watch', 'cancel', 'fetchResult', 'audit', 'bind', 'sync', 'submit'] as const)(
    "answers %s of somebody else's task as if there were none",
    (type) => {
      expect(outcome(type, sealOfRole('submitter'), { task: OTHERS_TASK })).toBe('TASK_UNKNOWN');
      expect(outcome(type, sealOfRole('admin'), { task: OTHERS_TASK })).toBe('admin');
    },
  );

  test('lets a submitter submit what is new', () => {
    expect(outcome('submit', sealOfRole('submitter'), { task: '00000000000000cc' })).toBe('submitter');
  });
});
