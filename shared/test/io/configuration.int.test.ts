import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { addConfigCommand, BROKER_URL, JOIN_TOKEN, type ConfiguredValue } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { Command, Option } from 'commander';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directories = new TemporaryDirectories();
const before = { ...process.env };
let written: string[];
const write = process.stdout.write.bind(process.stdout);

beforeEach(() => {
  written = [];
  process.stdout.write = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
});
afterEach(() => {
  process.stdout.write = write;
  process.env = { ...before };
  directories.removeAll();
});

/** What `config show` prints of a program with these arguments, by option. */
async function shown(...args: readonly string[]): Promise<Record<string, Omit<ConfiguredValue, 'option'>>> {
  let action = (): Promise<void> => Promise.reject(new Error('no command was chosen'));
  const program = new Command('thing')
    .version('1')
    .addOption(new Option('--host <address>').env('THING_HOST').default('127.0.0.1'))
    .addOption(
      new Option('--size <size>')
        .env('THING_SIZE')
        .default(64, '64 B')
        .argParser((text) => Number(text.replace('k', '000'))),
    )
    .addOption(new Option('--state <directory>').env('THING_STATE'))
    .addOption(new Option('--amqp <url>').env('AMQP_URL'))
    .addOption(new Option('--insecure').env('THING_INSECURE'))
    .addOption(new Option('--no-announce').env('THING_QUIET'));
  const otherwise = (): Record<string, { value: string; from: string }> => ({
    '--state': { value: '/somewhere', from: 'default' },
  });
  addConfigCommand(program, { secrets: [BROKER_URL, JOIN_TOKEN], otherwise }, (chosen) => (action = chosen));
  program.parse(['node', 'thing', ...args, 'config', 'show']);
  await action();
  const { configuration } = JSON.parse(written.join('')) as { readonly configuration: ConfiguredValue[] };
  return Object.fromEntries(configuration.map(({ option, ...rest }) => [option, rest]));
}

test('what nobody has said is shown as it holds', async () => {
  expect(await shown()).toEqual({
    '--host': { value: '127.0.0.1', from: 'default' },
    '--size': { value: '64 B', from: 'default' },
    '--state': { value: '/somewhere', from: 'default' },
    '--amqp': { value: 'none', from: 'default' },
    '--insecure': { value: 'off', from: 'default' },
    '--no-announce': { value: 'off', from: 'default' },
  });
});

test('a flag wins over the environment, and each value says where it is from, in its own words', async () => {
  Object.assign(process.env, { THING_HOST: '10.0.0.1', THING_SIZE: '2k', THING_INSECURE: '1', THING_STATE: '/env' });
  expect(await shown('--host', '10.0.0.2', '--no-announce')).toMatchObject({
    '--host': { value: '10.0.0.2', from: 'flag' },
    '--size': { value: '2k', from: 'environment THING_SIZE' },
    '--state': { value: '/env', from: 'environment THING_STATE' },
    '--insecure': { value: 'on', from: 'environment THING_INSECURE' },
    '--no-announce': { value: 'on', from: 'flag' },
  });
});

test('a secret is masked, wherever it is from', async () => {
  const url = 'amqp://head:s3cret@broker/muster';
  const hidden = 'amqp://head:***@broker/muster';
  expect(await shown('--amqp', url)).toMatchObject({ '--amqp': { value: hidden, from: 'flag' } });
  written = [];
  const file = join(directories.make(), 'url');
  writeFileSync(file, `${url}\n`, { mode: 0o600 });
  process.env['AMQP_URL_FILE'] = file;
  expect(await shown()).toMatchObject({ '--amqp': { value: hidden, from: `file ${file} (AMQP_URL_FILE)` } });
  written = [];
  Object.assign(process.env, { AMQP_URL: url, MUSTER_TOKEN: 'a-token' });
  expect(await shown()).toMatchObject({
    '--amqp': { value: hidden, from: 'environment AMQP_URL' },
    MUSTER_TOKEN: { value: '***', from: 'environment' },
  });
  expect(written.join('')).not.toMatch(/s3cret|a-token/);
});
