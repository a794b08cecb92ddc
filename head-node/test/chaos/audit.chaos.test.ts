/** A real broker, a head and two nodes, of which the first two are killed: what an audit tells of tasks that are whole, and of one that somebody has tampered with. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decode, isTerminal, type AuditReport, type TaskId } from '@muster/shared';
import { ClusterUnderTest, waitUntil, type Outcome } from '@muster/shared/testkit';
import { openBackbone, type Backbone, type Delivery } from '@muster/rabbitmq';
import { RabbitNode } from '@muster/rabbitmq/testkit';
import { connectClient, type ClusterClient } from '@muster/user-client';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalRecord } from '../../src/core/journal-record.ts';
import { unseal } from '../../src/io/sealed-value.ts';

const UP_MS = 40_000;

let broker: RabbitNode;
let cluster: ClusterUnderTest;
let observer: ClusterClient;
/** Cut into tiles as the measured speed of the nodes has it. */
let product: string;
let tiles: number;

beforeAll(async () => {
  broker = await RabbitNode.start();
  cluster = await ClusterUnderTest.start({
    providers: 2,
    env: { AMQP_URL: broker.url },
    providerArguments: ['--threads', '1'],
  });
  observer = await connectClient(cluster.endpoint);
  await headHasBroker();
  const { object } = await run('--task', 'matrix_mult', '--nodes', '2', '--size', '1024');
  ({ taskId: product, tiles } = object);
}, 150_000);

afterAll(async () => {
  await observer.close();
  await cluster.end();
  await broker.stop();
}, 60_000);

/** What the commands of this test print, put together. */
type Printed = AuditReport & {
  readonly tiles: number;
  readonly error: { readonly code: string; readonly exit: number } | null;
};

/** With the one object that `--json` prints. */
async function run(...args: readonly string[]): Promise<Outcome & { readonly object: Printed }> {
  const outcome = await cluster.run(...args, '--json');
  return { ...outcome, object: JSON.parse(outcome.stdout) as Printed };
}

async function taskOf(...args: readonly string[]): Promise<string> {
  const { code, stderr, object } = await run(...args);
  if (code !== 0) throw new Error(stderr);
  return object.taskId;
}

const headHasBroker = (): Promise<unknown> =>
  waitUntil(async () => (await observer.cluster()).backbone.state === 'up', {
    what: 'the head has the broker',
    timeoutMs: UP_MS,
  });

async function audit(task: string): Promise<{ readonly code: number | null; readonly report: Printed }> {
  const { code, object } = await run('audit', task);
  return { code, report: object };
}

describe('a task that is whole', () => {
  test('is told subtask by subtask', async () => {
    const { code, stdout, stderr } = await cluster.run('audit', product);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(tiles + 2);
    for (const [index, line] of lines.slice(1, -1).entries())
      expect(line).toMatch(
        new RegExp(`^ *${index}  C\\[\\d+:\\d+, \\d+:\\d+\\] +node-[12] +1  [0-9a-f]{12}  ok +ok +ok$`),
      );
    expect(lines.at(-1)).toBe(
      `audit: ${tiles} of ${tiles} accepted once; journal, broker and results agree (4.0 MiB of results read)`,
    );
  });

  test('is told in ranges where its subtasks leave no bytes', async () => {
    const task = await taskOf('--task', 'echo', '--nodes', '2', '--count', '20000', '--batch', '50');
    const { code, report } = await audit(task);
    expect({ code, error: report.error }).toEqual({ code: 0, error: null });
    expect(report).toMatchObject({ state: 'done', subtasks: 20_000, accepted: 20_000, problemCount: 0 });
    expect(report.broker).toEqual({ read: true, reason: '', missing: 0, repeated: 0, superseded: 0 });
    expect(report.rows.reduce((next, { from, to }) => (from === next ? to : -1), 0)).toBe(20_000);
  });

  test('is so in the next life of the head', async () => {
    await cluster.kill(cluster.cluster.head);
    await cluster.cluster.restartHead();
    await headHasBroker();
    expect(await observer.audit(product)).toMatchObject({
      accepted: tiles,
      problems: [],
      broker: { read: true, missing: 0 },
    });
  }, 60_000);
});

test('a task that a killed head takes up again is whole in the end, and the broker has all of it', async () => {
  const count = 400_000;
  const handle = await observer.echo({ count, nodes: 2, timeoutMs: 60_000 });
  const { state } = await waitUntil(
    async () => [await observer.task(handle.taskId)].find(({ acceptedTiles }) => acceptedTiles > count / 2),
    { what: 'so much is done that journal and broker have some of it', timeoutMs: UP_MS },
  );
  if (isTerminal(state)) throw new Error(`the task was over before the fault: ${state}`);
  await cluster.kill(cluster.cluster.head);
  await cluster.cluster.restartHead();
  expect(await handle.wait()).toMatchObject({ state: 'done', durability: 'mirrored' });
  const report = await observer.audit(handle.taskId);
  expect(report).toMatchObject({ accepted: count, problems: [], broker: { read: true, missing: 0 } });
  expect(report.broker.repeated).toBeGreaterThan(0);
}, 120_000);

test('a task that waits is told as far as it is', async () => {
  const task = await taskOf('--task', 'echo', '--count', '5', '--nodes', '50', '--wait-nodes', '5m', '--detach');
  const { code, stdout } = await cluster.run('audit', task);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: 'audit: the task is waiting, 0 of 0 accepted once so far; journal and broker agree\n',
  });
  await observer.cancel(task);
  expect(await observer.audit(task)).toMatchObject({ state: 'cancelled', problems: [] });
});

test('a task that nobody knows is a mistake of who asks', async () => {
  const { code, object } = await run('audit', '0123456789abcdef');
  expect({ code, object }).toMatchObject({ code: 2, object: { error: { code: 'TASK_UNKNOWN' } } });
});

describe('a result file', () => {
  const resultsOf = (task: string): string => join(cluster.cluster.directory, 'head', 'store', 'results', task);

  /** Turns the bits of one byte; twice is as before. */
  function flip(path: string): void {
    const bytes = readFileSync(path);
    bytes[1000] = ~bytes[1000]!;
    writeFileSync(path, bytes);
  }

  test('that was damaged is named', async () => {
    const file = join(resultsOf(product), '1');
    flip(file);
    const { code, stdout, stderr } = await cluster.run('audit', product);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the audit of task .* found 1 problem \(AUDIT_FAILED, exit 1\)\n {2}why: subtask 1: its/,
    );
    expect(stdout).toMatch(/\n +1 .* ok +ok +DIFFERS\n/);
    expect(stdout).toMatch(
      /\nproblem: subtask 1: its result file has \d+ bytes [0-9a-f]{32}, and the journal has node-/,
    );
    flip(file);
    expect((await audit(product)).code).toBe(0);
  });

  test('that is gone is named, in one object with --json', async () => {
    const task = await taskOf('--task', 'matrix_mult', '--nodes', '2', '--size', '64');
    rmSync(join(resultsOf(task), '0'));
    const { code, report } = await audit(task);
    expect(code).toBe(1);
    expect(report.error).toMatchObject({ code: 'AUDIT_FAILED', exit: 1 });
    expect(report.problems).toEqual([expect.stringMatching(/^subtask 0: its result file is gone/)]);
    expect(report.rows[0]).toMatchObject({ from: 0, journal: 'agrees', broker: 'agrees', file: 'missing' });
  });
});

describe('the event stream', () => {
  interface Event {
    readonly key: string;
    readonly frames: readonly Uint8Array[];
    readonly task: TaskId;
    readonly records: readonly JournalRecord[];
  }

  const open = (): Backbone => openBackbone({ url: broker.url, role: 'head', name: 'a test' });

  async function readAll(): Promise<Event[]> {
    const backbone = open();
    const events: Event[] = [];
    await backbone.drain(
      { from: { to: 'events' }, offset: 0 },
      {
        withinMs: UP_MS,
        onDelivery: (delivery) => {
          events.push(eventOf(delivery));
          delivery.ack();
        },
      },
    );
    await backbone.close({ withinMs: 1000 });
    return events;
  }

  function eventOf({ key, frames }: Delivery): Event {
    const { message, payload } = decode(frames);
    if (message.type !== 'recorded' || payload === null) throw new Error(`a '${message.type}' in the stream`);
    const records = unseal(Buffer.from(payload)) as JournalRecord[];
    return { key, frames: frames.map((frame) => Uint8Array.from(frame)), task: message.task, records };
  }

  /** A stream cannot lose one message: another takes its place. */
  async function replaceBy(events: readonly Event[]): Promise<void> {
    await broker.control('delete_queue', 'events');
    const backbone = open();
    for (const { key, frames, task } of events) backbone.publish({ destination: { to: 'events' }, key, task, frames });
    await Promise.all(events.map(({ task }) => backbone.settled(task)));
    await backbone.close({ withinMs: 1000 });
  }

  const acceptedIn = ({ records }: Event): number[] =>
    records.flatMap((record) => (record.type === 'subtask' ? [record.index] : []));

  test('that lacks an event is named, and one that has it twice is not', async () => {
    const events = await readAll();
    const victim = events.findLast((event) => event.task === product && acceptedIn(event).length > 0)!;
    const missing = acceptedIn(victim);
    await replaceBy(events.filter((event) => event !== victim));
    const { code, report } = await audit(product);
    expect(code).toBe(1);
    for (const index of missing)
      expect(report.problems).toContainEqual(
        expect.stringMatching(
          new RegExp(`^subtask ${index}: accepted from node-[12] attempt 1 .*, and the broker has no event of it$`),
        ),
      );
    expect(report.rows.filter(({ broker: finding }) => finding === 'missing').map(({ from }) => from)).toEqual(
      missing.toSorted((a, b) => a - b),
    );
    await replaceBy([...events, { ...victim, key: `${victim.key} again` }]);
    expect((await audit(product)).report).toMatchObject({
      problems: [],
      broker: { repeated: missing.length, missing: 0 },
    });
  }, 60_000);

  test('that cannot be read leaves journal and results, and the audit says so', async () => {
    await broker.kill();
    const { code, stdout } = await cluster.run('audit', product);
    expect(code).toBe(0);
    expect(stdout).toMatch(/audit: \d+ of \d+ accepted once; journal and results agree \(.*the broker was not read: /);
  }, 60_000);
});
