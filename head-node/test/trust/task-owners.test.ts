import { afterEach, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskId } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { TaskOwners } from '../../src/trust/task-owners.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const taskNamed = (number: number): TaskId => number.toString(16).padStart(16, '0') as TaskId;
const [first, second] = [taskNamed(1), taskNamed(2)];

test('an owner is known in the next life', () => {
  const path = join(directories.make(), 'owners');
  new TaskOwners(path).set(first, 'ann');
  expect(new TaskOwners(path).ownerOf(first)).toBe('ann');
});

test('of a task that is forgotten there is none, now and later', () => {
  const path = join(directories.make(), 'owners');
  const owners = new TaskOwners(path);
  for (const task of [first, second]) owners.set(task, 'ann');
  owners.forget(first);
  expect([owners.ownerOf(first), owners.ownerOf(second)]).toEqual([undefined, 'ann']);
  const next = new TaskOwners(path);
  next.keepOnly((task) => task === second);
  expect([next.ownerOf(first), next.ownerOf(second)]).toEqual([undefined, 'ann']);
});

test('neither memory nor the file grow with what is over', () => {
  const path = join(directories.make(), 'owners');
  const owners = new TaskOwners(path);
  owners.set(first, 'ann');
  for (let number = 10; number < 3510; number += 1) {
    owners.set(taskNamed(number), 'bob');
    owners.forget(taskNamed(number));
  }
  expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(1100);
  expect(new TaskOwners(path).ownerOf(first)).toBe('ann');
});
