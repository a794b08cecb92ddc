import { afterEach, expect, test } from '@jest/globals';
import { silentLogger, type TaskId } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OpenStreams } from '../../src/io/open-streams.ts';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const TASK = '00000000000000aa' as TaskId;
const OTHER = '00000000000000bb' as TaskId;

test('the next life knows which streams may be left', () => {
  const directory = directories.make();
  const streams = new OpenStreams(directory, silentLogger);
  for (const task of [TASK, OTHER, TASK]) streams.add(task);
  streams.remove(OTHER);
  streams.remove(OTHER);
  writeFileSync(join(directory, 'streams', 'not-a-task'), '');
  expect(new OpenStreams(directory, silentLogger).tasks()).toEqual([TASK]);
});

test('a disk that takes nothing is told and costs the task nothing', () => {
  const warnings: string[] = [];
  const directory = directories.make();
  const streams = new OpenStreams(directory, { ...silentLogger, warn: (_, text) => void warnings.push(text) });
  rmSync(join(directory, 'streams'), { recursive: true });
  streams.add(TASK);
  expect(warnings).toEqual(['the streams of a task may stay in the broker after it']);
});
