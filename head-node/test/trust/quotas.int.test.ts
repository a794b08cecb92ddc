/** What a submitter may have at a head, and an admin as much as he likes; also after a restart. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { describeError, fromWireError, type Fields, type Message, type TaskId } from '@muster/shared';
import { ask, closeRawPeers } from './raw-peer.ts';
import { echoSubmission, type Enrolled, TrustRig } from './trust-rig.ts';

const TASKS = 3;
const BYTES = 50_000;

let rig: TrustRig;
let submitter: Enrolled;
let drawn = 0;

beforeAll(async () => {
  rig = await TrustRig.start({ quota: { tasks: TASKS, bytes: BYTES } });
  submitter = await rig.enrolled('submitter');
}, 60_000);

afterEach(() => closeRawPeers());

afterAll(() => rig.stop(), 30_000);

const taskNamed = (number: number): TaskId => number.toString(16).padStart(16, '0') as TaskId;
const echo: Pick<Fields<'submit'>, 'taskType' | 'spec'> = echoSubmission(taskNamed(0));
/** 2 x 100 x 10 operands and 100 x 100 results of 4 bytes. */
const product = { taskType: 'matrix_mult', spec: { m: 100, k: 10, n: 100, dtype: 'float32', grid: 'auto' } };
const PRODUCT_BYTES = 48_000;

function submit(
  keys: Enrolled,
  what: Pick<Fields<'submit'>, 'taskType' | 'spec'>,
  task = taskNamed(++drawn),
): Promise<Message> {
  const fields = { ...echoSubmission(task), taskType: what.taskType, spec: what.spec };
  return ask(rig.endpoint, 'clients', { keys, type: 'submit', fields });
}

const cancel = (task: TaskId): Promise<Message> =>
  ask(rig.endpoint, 'clients', { keys: submitter, type: 'cancel', fields: { request: 1, task } });

const codeOf = (message: Message): string => (message.type === 'error' ? message.error.code : message.type);

async function linesOf(refused: Message): Promise<string[]> {
  if (refused.type !== 'error') throw new Error(`not refused: ${refused.type}`);
  return Promise.resolve(describeError(fromWireError(refused.error)).split('\n'));
}

describe('a submitter', () => {
  test('has so many unfinished tasks, is told so in three lines, and may go on when one has ended', async () => {
    const first = taskNamed(drawn + 1);
    for (let at = 0; at < TASKS; at += 1) expect(codeOf(await submit(submitter, echo))).toBe('accepted');
    const { result, log } = await rig.meanwhile(() => submit(submitter, echo));
    expect(await linesOf(result)).toEqual([
      'error: you have as many unfinished tasks as one user may have (QUOTA, exit 1)',
      '  why: 3 of 3',
      expect.stringContaining('  fix: wait until one ends, or user-client tasks cancel ID'),
    ]);
    expect(log).toMatchObject([{ action: 'submitted', outcome: 'refused', actor: submitter.identity }]);
    // The same submission again, because the answer was lost, is no new one.
    expect(codeOf(await submit(submitter, echo, first))).toBe('accepted');
    await rig.restart();
    expect(codeOf(await submit(submitter, echo))).toBe('QUOTA');
    await cancel(first);
    expect(codeOf(await submit(submitter, echo))).toBe('accepted');
    for (let number = 2; number <= drawn; number += 1) await cancel(taskNamed(number));
  });

  test('has so much on the disk of the head', async () => {
    const task = taskNamed(drawn + 1);
    expect(codeOf(await submit(submitter, product))).toBe('accepted');
    const [what, why, fix] = await linesOf(await submit(submitter, product));
    expect(what).toBe('error: the task takes more of the disk of the head than is left for you (QUOTA, exit 1)');
    expect(why).toBe('  why: operands and result are 46.9 KiB, your other unfinished tasks have 46.9 KiB of 48.8 KiB');
    expect(fix).toContain('--max-disk-per-user');
    expect(PRODUCT_BYTES).toBeLessThan(BYTES);
    expect(codeOf(await submit(await rig.enrolled('submitter'), product))).toBe('accepted');
    await cancel(task);
    expect(codeOf(await submit(submitter, product))).toBe('accepted');
  });

  test('who is refused has no task to his name', async () => {
    const keys = await rig.enrolled('submitter');
    const task = taskNamed(0xff);
    const large = { ...product, spec: { ...product.spec, n: 10_000 } };
    expect(codeOf(await submit(keys, large, task))).toBe('QUOTA');
    // Somebody else may take the number: it is nobody's.
    expect(codeOf(await submit(await rig.enrolled('submitter'), echo, task))).toBe('accepted');
  });
});

test('an admin has no quota', async () => {
  const admin = await rig.enrolled('admin');
  for (let at = 0; at < TASKS + 2; at += 1) expect(codeOf(await submit(admin, product))).toBe('accepted');
  await rig.restart();
  expect(codeOf(await submit(admin, product))).toBe('accepted');
});
