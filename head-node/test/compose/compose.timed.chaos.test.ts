/** docker-compose.yml for real: from the build to containers that are killed, cut off, and made anew. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { skipBecause, TemporaryDirectories, waitUntil, wrongRows } from '@muster/shared/testkit';
import { ComposeRig, whyNoCompose, type Container, type UnderWay } from './compose-rig.ts';

const HEALTHY_MAX_MS = 120_000;
const PROVIDERS = 4;
/** Ten seconds and more on two cores. */
const SIZE = 6144;

const reason = whyNoCompose();
const composeTest = reason === undefined ? test : skipBecause(reason);
const directories = new TemporaryDirectories();

let rig: ComposeRig;

beforeAll(async () => {
  if (reason !== undefined) return;
  rig = await ComposeRig.create();
  await rig.compose('build');
}, 600_000);

afterAll(async () => {
  await rig?.end();
  directories.removeAll();
}, 90_000);

const serviceOf = ({ Name }: Container): string => Name.split(/[-_]/).at(-2) ?? Name;

const hostsOf = ({ NetworkSettings: { Ports } }: Container): string[] =>
  Object.values(Ports).flatMap((bindings) => (bindings ?? []).map(({ HostIp }) => HostIp));

const containerOf = async (service: string): Promise<Container> =>
  (await rig.containers(service))[0] ?? Promise.reject(new Error(`no container of ${service}`));

/** 'provider-1 3c5f...' of every node that is ready. */
const readyNodes = async (): Promise<string[]> =>
  (await rig.nodes())
    .filter(({ state }) => state === 'ready')
    .map(({ name, id }) => `${name} ${id}`)
    .toSorted();

/** The same ones as before, under their old ids. */
async function expectNodes(known: readonly string[]): Promise<void> {
  await waitUntil(async () => (await readyNodes()).length === known.length, {
    what: 'all nodes are back',
    timeoutMs: 30_000,
  });
  expect(await readyNodes()).toEqual(known);
}

describe('the cluster of docker-compose.yml', () => {
  let known: string[];
  let finished: UnderWay;

  composeTest(
    'is healthy within two minutes, and opens nothing that it need not',
    async () => {
      const startMs = performance.now();
      await rig.up();
      await rig.healthy();
      expect(performance.now() - startMs).toBeLessThan(HEALTHY_MAX_MS);
      const containers = await rig.containers();
      expect(containers.map(serviceOf)).toEqual([
        'head',
        'init',
        ...Array<string>(PROVIDERS).fill('provider'),
        'rabbitmq',
      ]);
      expect(containers.filter(({ Config: { User } }) => ['', '0', 'root'].includes(User))).toEqual([]);
      expect(new Set(containers.flatMap(hostsOf))).toEqual(new Set(['127.0.0.1']));
      const { Id } = await containerOf('head');
      const password = await rig.docker('exec', Id, 'cat', '/etc/muster/head/password');
      expect(password.length).toBeGreaterThanOrEqual(32);
      expect(JSON.stringify(containers)).not.toContain(password);
      await rig.backboneIs('up');
      known = await readyNodes();
      expect(known.map((node) => node.split(' ')[0])).toEqual(['provider-1', 'provider-2', 'provider-3', 'provider-4']);
    },
    180_000,
  );

  composeTest(
    'each provider is at the broker as a user of its own, of which nothing was told to its container',
    async () => {
      const connected = async (): Promise<Set<string>> => {
        const said = await rig.compose('exec', '-T', 'rabbitmq', 'rabbitmqctl', '--quiet', 'list_connections', 'user');
        return new Set(said.split('\n').filter((user) => user.startsWith('provider.')));
      };
      const ids = known.map((node) => node.split(' ')[1]);
      await waitUntil(async () => (await connected()).size === PROVIDERS, { what: 'all are', timeoutMs: 30_000 });
      expect([...(await connected())].toSorted()).toEqual(ids.map((id) => `provider.${id}@muster`).toSorted());
      for (const { Config } of await rig.containers('provider')) expect(Config.Env.join()).not.toContain('AMQP');
    },
    60_000,
  );

  composeTest(
    'its client has a product computed and verified',
    async () => {
      const product = ['--task', 'matrix_mult', '--nodes', String(PROVIDERS), '--json'];
      const outcome = JSON.parse(await rig.compose('run', '--rm', '-T', 'client', ...product)) as Record<
        string,
        unknown
      >;
      expect(outcome).toMatchObject({ state: 'done', verifiedTiles: outcome['tiles'], rejectedTiles: 0 });
    },
    60_000,
  );

  composeTest(
    'with a provider killed and another cut off the product is right; both come back as who they were',
    async () => {
      const work = await rig.multiply(SIZE);
      await rig.reached(work, 0.2);
      const [killed, cut] = (await rig.containers('provider')) as [Container, Container];
      await rig.docker('kill', killed.Id);
      await rig.docker('network', 'disconnect', `${rig.project}_default`, cut.Id);
      await rig.expectRight(work);
      await rig.docker('network', 'connect', `${rig.project}_default`, cut.Id);
      await rig.docker('start', killed.Id);
      await expectNodes(known);
      finished = work;
    },
    120_000,
  );

  composeTest(
    'a head that crashes is started again, and the waiting client gets its product',
    async () => {
      const work = await rig.multiply(SIZE);
      await rig.reached(work, 0.2);
      const { Id, RestartCount } = await containerOf('head');
      await rig.docker('exec', Id, 'node', '-e', CRASH);
      await rig.expectRight(work);
      expect((await containerOf('head')).RestartCount).toBe(RestartCount + 1);
    },
    120_000,
  );

  composeTest(
    'each service is killed in turn, and the waiting client gets its product',
    async () => {
      const work = await rig.multiply(SIZE);
      await rig.reached(work, 0.1);
      await rig.compose('kill', 'rabbitmq');
      await rig.backboneIs('down');
      await rig.compose('kill', 'provider');
      await rig.compose('kill', 'head');
      await rig.up();
      await rig.expectRight(work);
      await expectNodes(known);
      await rig.backboneIs('up');
    },
    180_000,
  );

  composeTest(
    'down and up again keep accepted tasks, results and nodes',
    async () => {
      const work = await rig.multiply(SIZE);
      await rig.reached(work, 0.2);
      await rig.compose('down');
      await rig.up();
      await rig.expectRight(work);
      await expectNodes(known);
      const fetched = { ...finished.files, c: join(directories.make(), 'c.npy') };
      expect(await rig.run('tasks', 'result', finished.task, '--out', fetched.c)).toMatchObject({ code: 0 });
      expect(wrongRows(fetched)).toEqual([]);
    },
    180_000,
  );
});

/** SIGKILL to the child of the init process: what `docker kill` does counts as a person's wish, which no restart policy overrules. */
const CRASH = `process.kill(Number.parseInt(require('fs').readFileSync('/proc/1/task/1/children', 'latin1'), 10), 'SIGKILL')`;
