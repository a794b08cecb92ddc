/** Who may say what, at the ports of a head: what SECURITY.md says, for every message that there is. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  blockIdOf,
  decode,
  HEADER_BYTES,
  messages,
  newKeyPair,
  PROTOCOL_VERSION,
  silentLogger,
  tcpAddress,
  type Channel,
  type Fields,
  type Logger,
  type MessageType,
  type Role,
  type SessionId,
  type TaskId,
} from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { closeRawPeers, dial, frameOf, handshakeOf } from './raw-peer.ts';
import { registerAs, TrustRig, type Enrolled } from './trust-rig.ts';

const OWN = '00000000000000aa' as TaskId;
const OTHERS = '00000000000000bb' as TaskId;
const UNKNOWN = '00000000000000cc' as TaskId;
const BLOCK = blockIdOf(Buffer.from('of nobody'));
const SESSION = 'e'.repeat(32) as SessionId;
const request = 1;

/** Whoever asks: a role, or somebody on a connection of a member whose messages bear nobody's seal. */
type Asker = Role | 'anonymous';
const askers: readonly Asker[] = ['admin', 'submitter', 'provider', 'viewer', 'anonymous'];

/** What comes back: a type of message, or the code of an error. A pair: of one's own task, of somebody else's. */
type Outcome = string | readonly [own: string, others: string];

interface Row<T extends MessageType> {
  readonly channel: Channel;
  readonly fields: (task: TaskId, asker: Enrolled) => Fields<T>;
  /** In the order of `askers`. */
  readonly outcomes: readonly Outcome[];
}

const NO = 'FORBIDDEN';
const WHO = 'UNAUTHORIZED';
const NONE = 'TASK_UNKNOWN';
/** Not let in at that port at all. */
const SHUT = 'shut';

const echo = { taskType: 'echo', spec: { count: 1, bytes: 8, batch: 1 } } as const;
const terms = { nodes: 1, waitNodesMs: 600_000, timeoutMs: 600_000, durability: 'local' } as const;
const error = { code: 'BUG', what: '', why: '', fix: '' } as const;
const byTask = (task: TaskId) => ({ request, task });
const result = (task: TaskId) => ({ session: SESSION, task, lease: 1 });
const onResults = (outcome: 'taken' | 'refused'): readonly Outcome[] => [SHUT, SHUT, outcome, SHUT, 'refused'];

/** Every message that there is: null for what only the head says. A new one without a row does not compile. */
const rows: { readonly [T in MessageType]: Row<T> | null } = {
  greet: {
    channel: 'clients',
    fields: () => ({ request, version: PROTOCOL_VERSION }),
    outcomes: ['greeting', 'greeting', 'greeting', 'greeting', WHO],
  },
  submit: {
    channel: 'clients',
    fields: (task) => ({ request, task, ...echo, ...terms }),
    outcomes: ['accepted', ['accepted', NONE], NO, NO, WHO],
  },
  bind: {
    channel: 'clients',
    fields: (task) => ({ request, task, operand: 'a', block: 0, id: BLOCK, bytes: 1, path: '' }),
    // The role may, and the task has no such block.
    outcomes: ['BAD_DATA', ['BAD_DATA', NONE], NO, NO, WHO],
  },
  sync: { channel: 'clients', fields: byTask, outcomes: ['synced', ['synced', NONE], NO, NO, WHO] },
  put: {
    channel: 'clients',
    fields: () => ({ request, block: BLOCK, offset: 0, total: 1 }),
    outcomes: ['PROTOCOL', 'PROTOCOL', NO, NO, WHO],
  },
  fetch: {
    channel: 'clients',
    fields: () => ({ request, block: BLOCK, offset: 0, length: 1 }),
    outcomes: ['BLOCK_MISSING', 'BLOCK_MISSING', 'BLOCK_MISSING', NO, WHO],
  },
  probe: {
    channel: 'clients',
    fields: () => ({ request, bytes: 1 }),
    outcomes: [NO, NO, 'chunk', NO, WHO],
  },
  fetchResult: {
    channel: 'clients',
    fields: (task) => ({ ...byTask(task), index: 0, offset: 0, length: 1 }),
    outcomes: ['BLOCK_MISSING', ['BLOCK_MISSING', NONE], NO, NO, WHO],
  },
  watch: { channel: 'clients', fields: byTask, outcomes: ['done', ['done', NONE], NO, 'done', WHO] },
  show: { channel: 'clients', fields: byTask, outcomes: ['task', ['task', NONE], NO, 'task', WHO] },
  audit: { channel: 'clients', fields: byTask, outcomes: ['audited', ['audited', NONE], NO, NO, WHO] },
  listTasks: { channel: 'clients', fields: () => ({ request }), outcomes: ['tasks', 'tasks', NO, 'tasks', WHO] },
  listNodes: { channel: 'clients', fields: () => ({ request }), outcomes: ['nodes', 'nodes', NO, 'nodes', WHO] },
  cancel: { channel: 'clients', fields: byTask, outcomes: ['done', ['done', NONE], NO, NO, WHO] },
  register: {
    channel: 'registration',
    fields: (_, asker) => registerAs(asker.provider === '' ? peers.provider.provider : asker.provider),
    outcomes: [NO, SHUT, 'registered', SHUT, WHO],
  },
  ready: {
    channel: 'registration',
    fields: () => ({ session: SESSION, nonce: '', sharesStore: false }),
    outcomes: [NO, SHUT, 'PROTOCOL', SHUT, WHO],
  },
  bye: {
    channel: 'registration',
    fields: () => ({ session: SESSION, handBack: [] }),
    outcomes: [NO, SHUT, 'ok', SHUT, WHO],
  },
  administer: {
    channel: 'registration',
    fields: () => ({ action: 'token-ls', arguments: {} }),
    outcomes: ['administered', SHUT, NO, SHUT, WHO],
  },
  enrol: {
    channel: 'registration',
    fields: () => ({ version: PROTOCOL_VERSION, publicKey: newKeyPair().publicKey, name: 'x', provider: '' }),
    outcomes: [NO, SHUT, NO, SHUT, WHO],
  },
  heartbeat: {
    channel: 'heartbeats',
    fields: () => ({ session: SESSION, seq: 0, running: [], computedMs: 0, linkBytesPerMs: 0 }),
    outcomes: [SHUT, SHUT, 'beat', SHUT, WHO],
  },
  result: {
    channel: 'results',
    fields: (task) => ({ ...result(task), bytes: 0, path: '', computeMs: 0, fetchMs: 0 }),
    outcomes: onResults('taken'),
  },
  resultChunk: {
    channel: 'results',
    fields: (task) => ({ ...result(task), offset: 0, total: 1 }),
    outcomes: onResults('taken'),
  },
  failed: { channel: 'results', fields: (task) => ({ ...result(task), error }), outcomes: onResults('taken') },
  registered: null,
  ok: null,
  refused: null,
  enrolled: null,
  administered: null,
  beat: null,
  hello: null,
  lease: null,
  settled: null,
  revoke: null,
  open: null,
  block: null,
  closed: null,
  delivered: null,
  streamedChunk: null,
  recorded: null,
  greeting: null,
  accepted: null,
  bound: null,
  stored: null,
  synced: null,
  chunk: null,
  task: null,
  tasks: null,
  nodes: null,
  audited: null,
  done: null,
  error: null,
  tiles: null,
  progress: null,
  ended: null,
};

const types = Object.keys(messages) as MessageType[];
const said = types.filter((type) => rows[type] !== null);

let rig: TrustRig;
let peers: Record<Asker, Enrolled>;
let other: Enrolled;

beforeAll(async () => {
  rig = await TrustRig.start({ logger });
  const [admin, submitter, provider, viewer] = [
    await rig.enrolled('admin'),
    await rig.enrolled('submitter'),
    await rig.enrolled('provider'),
    await rig.enrolled('viewer'),
  ];
  peers = { admin, submitter, provider, viewer, anonymous: await rig.enrolled('provider') };
  other = await rig.enrolled('submitter');
}, 60_000);

/** As they were: some messages end them. */
async function submitBoth(): Promise<void> {
  for (const [task, keys] of [
    [OWN, peers.submitter],
    [OTHERS, other],
  ] as const)
    await answerTo('submit', { task, keys });
}

afterEach(() => closeRawPeers());

afterAll(() => rig.stop(), 30_000);

interface Question {
  readonly task: TaskId;
  readonly keys: Enrolled;
  /** Its own if it is not given. */
  readonly seal?: string;
}

function frameFor(type: MessageType, { task, keys, seal }: Question): Buffer {
  const fields = rows[type]?.fields(task, keys) as Fields<typeof type>;
  return frameOf({ type, fields, ...(seal === undefined ? {} : { seal }) }, keys);
}

/** The head's frame. */
async function answerTo(type: MessageType, question: Question): Promise<Buffer> {
  const channel = rows[type]?.channel as 'registration' | 'heartbeats' | 'clients';
  const socket = dial(rig.endpoint, channel, question.keys);
  socket.receiveTimeout = 5000;
  socket.connect(tcpAddress(rig.endpoint, channel));
  await socket.send(frameFor(type, question));
  const [frame] = await socket.receive();
  socket.close();
  return frame ?? Buffer.alloc(0);
}

/** What the head has thrown away, in order. */
const thrownAway: string[] = [];
const logger: Logger = {
  ...silentLogger,
  debug: (facts) => void thrownAway.push(String((facts as { readonly why?: unknown }).why)),
};

/** A result is answered by nothing: what comes behind it, and belongs to another port, tells when it was read. */
async function pushed(type: MessageType, question: Question): Promise<string> {
  const socket = dial(rig.endpoint, 'results', question.keys);
  socket.connect(tcpAddress(rig.endpoint, 'results'));
  const before = thrownAway.length;
  await socket.send(frameFor(type, question));
  await socket.send(frameOf({ type: 'listNodes', fields: { request } }, question.keys));
  await waitUntil(() => thrownAway.slice(before).includes('listNodes'), { what: 'both were read' });
  socket.close();
  return thrownAway.length - before === 1 ? 'taken' : 'refused';
}

async function outcomeOf(type: MessageType, asker: Asker, task: TaskId): Promise<string> {
  const channel = rows[type]?.channel ?? 'clients';
  const keys = peers[asker];
  const question = { task, keys, ...(asker === 'anonymous' ? { seal: '0'.repeat(16) } : {}) };
  if ((await handshakeOf(rig.endpoint, channel, keys)) !== 'handshake') return SHUT;
  if (channel === 'results') return pushed(type, question);
  const { message } = decode([await answerTo(type, question)]);
  return 'error' in message ? (message.error?.code ?? '') : message.type;
}

describe('at the ports of a head', () => {
  test.each(said)('%s is for whom SECURITY.md names', async (type) => {
    await submitBoth();
    for (const [at, asker] of askers.entries()) {
      const outcome = rows[type]?.outcomes[at] ?? '';
      const [own, others] = typeof outcome === 'string' ? [outcome, outcome] : outcome;
      expect([type, asker, await outcomeOf(type, asker, OWN)]).toEqual([type, asker, own]);
      expect([type, asker, await outcomeOf(type, asker, OTHERS)]).toEqual([type, asker, others]);
    }
  });
});

describe("somebody else's task", () => {
  const NUMBER = 'n'.repeat(16);

  /** Without the checksum, which follows from the rest, and with all tasks named alike. */
  const comparable = (frame: Buffer, task: TaskId): string => {
    const [header, meta] = [Buffer.from(frame.subarray(0, HEADER_BYTES)), frame.subarray(HEADER_BYTES)];
    header.fill(0, 12, 16);
    return header.toString('latin1') + meta.toString('latin1').replaceAll(task, NUMBER);
  };

  const ofTasks = said.filter((type) => messages[type].fields.includes('task') && rows[type]?.channel === 'clients');

  test.each(ofTasks)('is to %s as one that does not exist, to the byte', async (type) => {
    await submitBoth();
    for (const asker of ['submitter', 'provider', 'viewer', 'anonymous'] as const) {
      const question = { keys: peers[asker], ...(asker === 'anonymous' ? { seal: '0'.repeat(16) } : {}) };
      // Who may see all tasks, and who may submit a new one, is told the difference.
      const expected = rows[type]?.outcomes[askers.indexOf(asker)];
      if ((asker === 'viewer' && expected !== NO) || (asker === 'submitter' && type === 'submit')) continue;
      const [others, unknown] = [
        comparable(await answerTo(type, { ...question, task: OTHERS }), OTHERS),
        comparable(await answerTo(type, { ...question, task: UNKNOWN }), UNKNOWN),
      ];
      expect([type, asker, others]).toEqual([type, asker, unknown]);
    }
  });

  test('is in no list', async () => {
    await submitBoth();
    const listed = async (asker: Role): Promise<readonly TaskId[]> => {
      const { message } = decode([await answerTo('listTasks', { task: OWN, keys: peers[asker] })]);
      return message.type === 'tasks' ? message.tasks.map(({ taskId }) => taskId as TaskId) : [];
    };
    expect(await listed('submitter')).toEqual([OWN]);
    for (const asker of ['admin', 'viewer'] as const)
      expect(await listed(asker)).toEqual(expect.arrayContaining([OWN, OTHERS]));
  });
});
