import { afterEach, expect, test } from '@jest/globals';
import { takeBrokerUrl } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

test('what is given counts, else the file, else there is no broker', () => {
  const file = join(directories.make(), 'url');
  writeFileSync(file, 'amqp://from-file\n');
  expect(takeBrokerUrl('amqp://given', { AMQP_URL_FILE: file })).toBe('amqp://given');
  expect(takeBrokerUrl(undefined, { AMQP_URL_FILE: file })).toBe('amqp://from-file');
  expect(takeBrokerUrl('', {})).toBeNull();
  expect(takeBrokerUrl(undefined, {})).toBeNull();
});

test('child processes do not inherit it', () => {
  const env = { AMQP_URL: 'amqp://user:secret@host', PATH: '/bin' };
  expect(takeBrokerUrl(env.AMQP_URL, env)).toBe('amqp://user:secret@host');
  expect(env).toEqual({ PATH: '/bin' });
});

test('a file that is not there is a usage error', () => {
  expect(() => takeBrokerUrl(undefined, { AMQP_URL_FILE: '/nowhere/url' })).toThrow(
    expect.objectContaining({ code: 'USAGE', why: expect.stringContaining('/nowhere/url') }),
  );
});
