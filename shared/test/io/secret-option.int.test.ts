import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { takeBrokerUrl, takeJoinToken } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directories = new TemporaryDirectories();
const warnings: string[] = [];
const warn = (line: string): void => void warnings.push(line);
let file: string;

beforeEach(() => {
  warnings.length = 0;
  file = join(directories.make(), 'url');
  writeFileSync(file, 'amqp://head:from-file@host\n', { mode: 0o600 });
});
afterEach(() => directories.removeAll());

describe('a secret', () => {
  test('is what is given, else what is in the file, else none', () => {
    const env = { AMQP_URL: 'amqp://given', AMQP_URL_FILE: file };
    expect(takeBrokerUrl('amqp://given', { env: { ...env }, warn })).toBe('amqp://given');
    expect(takeBrokerUrl(undefined, { env: { AMQP_URL_FILE: file }, warn })).toBe('amqp://head:from-file@host');
    expect(takeBrokerUrl('', { env: {}, warn })).toBeNull();
    expect(takeBrokerUrl(undefined, { env: {}, warn })).toBeNull();
    expect(warnings).toEqual([]);
  });

  test('leaves the environment, which child processes inherit', () => {
    const env = { AMQP_URL: 'amqp://user:secret@host', MUSTER_TOKEN: 'MUSTER1-x', PATH: '/bin' };
    expect(takeBrokerUrl(env.AMQP_URL, { env, warn })).toBe('amqp://user:secret@host');
    expect(takeJoinToken(undefined, { env, warn })).toBe('MUSTER1-x');
    expect(env).toEqual({ PATH: '/bin' });
  });

  test('on the command line is named as what others can read; a line to paste is meant to be there', () => {
    takeBrokerUrl('amqp://user:secret@host', { env: {}, warn });
    expect(warnings).toEqual([expect.stringMatching(/^--amqp shows .* AMQP_URL or AMQP_URL_FILE$/)]);
    expect(takeJoinToken('MUSTER1-x', { env: { MUSTER_TOKEN: 'MUSTER1-y' }, warn })).toBe('MUSTER1-x');
    expect(takeBrokerUrl('amqp://host', { env: {}, warn })).toBe('amqp://host');
    expect(warnings).toHaveLength(1);
    expect(warnings.join('')).not.toContain('secret@');
  });

  test.each([0o644, 0o640, 0o604])('in a file of mode %o is read with a warning', (mode) => {
    chmodSync(file, mode);
    expect(takeBrokerUrl(undefined, { env: { AMQP_URL_FILE: file }, warn })).toBe('amqp://head:from-file@host');
    expect(warnings).toEqual([expect.stringContaining(`(mode ${mode.toString(8)}): chmod 600 ${file}`)]);
  });

  test('in a file that is not there is a usage error', () => {
    for (const [take, variable] of [
      [takeBrokerUrl, 'AMQP_URL_FILE'],
      [takeJoinToken, 'MUSTER_TOKEN_FILE'],
    ] as const)
      expect(() => take(undefined, { env: { [variable]: '/nowhere/secret' }, warn })).toThrow(
        expect.objectContaining({ code: 'USAGE', why: expect.stringContaining('/nowhere/secret') }),
      );
  });
});
