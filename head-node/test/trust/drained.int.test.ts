/** A node that an admin has drained, over registrations and starts of the head, until it is undone. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { decode, isMusterError, providerTopic, tcpAddress, type SessionId } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import { ask, closeRawPeers, dial } from './raw-peer.ts';
import { TrustRig, type Enrolled } from './trust-rig.ts';

let rig: TrustRig;
let keys: Enrolled;

beforeAll(async () => {
  rig = await TrustRig.start();
  keys = await rig.enrolled('provider');
}, 60_000);

afterEach(() => closeRawPeers());

afterAll(() => rig.stop(), 30_000);

/** Registers, listens, and says that it is ready. */
async function join(): Promise<SessionId> {
  const session = await rig.register(keys);
  const topics = dial(rig.endpoint, 'tasks', keys);
  topics.connect(tcpAddress(rig.endpoint, 'tasks'));
  topics.subscribe(providerTopic(session));
  const [, frame] = await topics.receive();
  const { message } = decode(frame === undefined ? [] : [frame]);
  if (message.type !== 'hello') throw new Error(message.type);
  const fields = { session, nonce: message.nonce, sharesStore: false };
  await ask(rig.endpoint, 'registration', { keys, type: 'ready', fields });
  return session;
}

const stateIs = (state: string): Promise<unknown> =>
  waitUntil(() => rig.head.nodes().find(({ id }) => id === keys.provider)?.state === state, { what: `it is ${state}` });

test('is drained again when it comes again, and when the head does, until that is undone', async () => {
  await join();
  await stateIs('ready');
  rig.administer('node-drain', { id: keys.identity });
  await stateIs('draining');
  await join();
  await stateIs('draining');
  await rig.restart();
  expect(rig.administer('node-ls')).toMatchObject({ drained: [keys.provider] });
  await join();
  await stateIs('draining');
  rig.administer('node-undrain', { id: keys.identity });
  await stateIs('ready');
  await rig.restart();
  await join();
  await stateIs('ready');
});

test('may be drained while it is not here, and is forgotten when it is revoked', async () => {
  await rig.restart();
  rig.administer('node-drain', { id: keys.identity });
  await join();
  await stateIs('draining');
  rig.administer('node-revoke', { id: keys.identity });
  expect(rig.administer('node-ls')).toMatchObject({ drained: [] });
});

test('must be known', () => {
  try {
    rig.administer('node-drain', { id: 'nobody' });
  } catch (error) {
    expect(isMusterError(error) && [error.code, error.why]).toEqual(['USAGE', 'no such id or name']);
  }
  expect.assertions(1);
});
