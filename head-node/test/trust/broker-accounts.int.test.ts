/** Real programs and a real broker: a provider that joins by a token works with a user of its own, which goes with its revocation. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterUnderTest, skipBecause, waitUntil, type LocalProgram, type Outcome } from '@muster/shared/testkit';
import { RabbitNode } from '@muster/rabbitmq/testkit';

let broker: RabbitNode;
let rig: ClusterUnderTest;
let provider: LocalProgram;
const everything: string[] = [];

beforeAll(async () => {
  broker = await RabbitNode.start({ plugins: ['rabbitmq_management'] });
  await waitUntil(() => fetch(`http://127.0.0.1:${broker.managementPort}/`), { what: 'the management interface' });
  const amqp = ['--amqp', `amqp://head:of-head@127.0.0.1:${broker.port}/muster`];
  const admin = ['--amqp-admin', `http://guest:guest@127.0.0.1:${broker.managementPort}`];
  rig = await ClusterUnderTest.start({
    providers: 0,
    headArguments: [...amqp, ...admin, '--log-level', 'debug'],
    onLine: (_program, line) => void everything.push(line),
  });
}, 120_000);

afterAll(async () => {
  await rig?.end();
  await broker?.stop();
}, 60_000);

/** As on another machine: what the head leaves for its own account is not found there. */
const elsewhere = { inside: (command: readonly string[]) => ['env', `XDG_STATE_HOME=${rig.folder}`, ...command] };
const stateOf = (name: string): string => join(rig.cluster.directory, name);

function start(...args: readonly string[]): LocalProgram {
  const own = ['--name', 'n1', '--state', stateOf('n1'), '--device', 'cpu', '--threads', '1', '--log-level', 'debug'];
  const started = rig.cluster.launch('provider-node', [...args, ...own], elsewhere);
  rig.cluster.providers.push(started);
  return started;
}

const ask = (...args: readonly string[]): Promise<Outcome> => rig.cluster.launch('head-node', args).ended();
const users = async (): Promise<string[]> =>
  (await broker.control('list_connections', 'user')).split('\n').filter((user) => user.startsWith('provider.'));
const own = (): string => `provider.${readFileSync(join(stateOf('n1'), 'identity'), 'utf8').trim()}@muster`;
const remembered = (): { readonly url: string } =>
  JSON.parse(readFileSync(join(stateOf('n1'), 'broker.json'), 'utf8')) as { readonly url: string };

test('it joins, and is at the broker as itself, without having been told where that is', async () => {
  const line = (await ask('token', 'create')).stdout.trim();
  provider = start('join', line.split(' ').at(-1) ?? '');
  await provider.said('joined ', 60_000);
  await waitUntil(async () => (await users()).includes(own()), { what: 'its connection', timeoutMs: 20_000 });
  expect(await broker.control('list_user_permissions', own())).toMatch(/^muster\t\^\$\t\^muster\\+\.results\$\t/m);
  const { code, stdout } = await rig.run('--task', 'echo', '--count', '200', '--durability', 'strict', '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { state: 'done' }]);
});

test('its password is in its state directory, for this account only, and nowhere else', () => {
  const { password } = new URL(remembered().url);
  expect(password.length).toBeGreaterThan(20);
  expect(statSync(join(stateOf('n1'), 'broker.json')).mode & 0o777).toBe(0o600);
  expect(everything.join('\n')).not.toContain(password);
});

const linuxTest = process.platform === 'linux' ? test : skipBecause('only Linux tells the arguments of a process');
linuxTest('nor in the arguments of a program', () => {
  const { password } = new URL(remembered().url);
  for (const { process: child } of [provider, rig.cluster.head])
    expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).not.toContain(password);
});

test('it goes to the broker also when there is no head at its start', async () => {
  await provider.stop();
  await rig.kill(rig.cluster.head);
  await waitUntil(async () => (await users()).length === 0, { what: 'its connection to end', timeoutMs: 20_000 });
  provider = start();
  await waitUntil(async () => (await users()).includes(own()), { what: 'its connection', timeoutMs: 60_000 });
  await rig.cluster.restartHead();
  await provider.said('joined ', 60_000);
}, 120_000);

test('revoked, it loses user and connections within two seconds', async () => {
  const asked = performance.now();
  expect((await ask('node', 'revoke', 'n1')).code).toBe(0);
  await waitUntil(async () => !(await broker.control('list_users')).includes('provider.'), { what: 'no user' });
  await waitUntil(async () => (await users()).length === 0, { what: 'no connection' });
  // Of which most is for the three commands that look.
  expect(performance.now() - asked).toBeLessThan(8000);
}, 60_000);
