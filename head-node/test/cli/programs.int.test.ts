/** What the built programs say of their configuration, and what they do not say of secrets. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConfiguredValue } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], variables: Record<string, string> = {}): Said {
  const env = { PATH: process.env['PATH'], HOME: directories.make(), ...variables };
  const script = join(root, program, 'bin', `${program}.mjs`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

function configured({ stdout }: Said): Record<string, Omit<ConfiguredValue, 'option'>> {
  const { configuration } = JSON.parse(stdout) as { readonly configuration: readonly ConfiguredValue[] };
  return Object.fromEntries(configuration.map(({ option, ...rest }) => [option, rest]));
}

describe('config show', () => {
  test('of the head names every option, what holds and who says so', () => {
    const file = join(directories.make(), 'admin');
    writeFileSync(file, 'http://keeper:s3cret@broker:15672\n', { mode: 0o600 });
    const said = run('head-node', ['config', 'show', '--port-base', '6000'], {
      AMQP_URL: 'amqp://head:s3cret@broker/muster',
      MUSTER_AMQP_ADMIN_FILE: file,
      MUSTER_MAX_DISK: '2G',
    });
    expect(configured(said)).toMatchObject({
      '--host': { value: '127.0.0.1', from: 'default' },
      '--port-base': { value: '6000', from: 'flag' },
      '--state': { value: expect.stringMatching(/head-6000$/), from: 'default' },
      '--max-disk': { value: '2G', from: 'environment MUSTER_MAX_DISK' },
      '--amqp': { value: 'amqp://head:***@broker/muster', from: 'environment AMQP_URL' },
      '--amqp-admin': { value: 'http://keeper:***@broker:15672', from: `file ${file} (MUSTER_AMQP_ADMIN_FILE)` },
      '--no-announce': { value: 'off', from: 'default' },
    });
    expect(said.stdout + said.stderr).not.toContain('s3cret');
    expect(said.code).toBe(0);
  });

  test('of a provider shows what it has found out, and that a token waits for it', () => {
    const said = run('provider-node', ['config', 'show', '--threads', '3'], {
      MUSTER_TOKEN: 'MUSTER1-x',
      MUSTER_NAME: 'n1',
    });
    expect(configured(said)).toMatchObject({
      '--head': { value: '127.0.0.1', from: 'default' },
      '--name': { value: 'n1', from: 'environment MUSTER_NAME' },
      '--threads': { value: '3', from: 'flag' },
      '--amqp': { value: 'as the head says', from: 'default' },
      MUSTER_TOKEN: { value: '***', from: 'environment' },
    });
    expect(said.stdout).not.toContain('MUSTER1-x');
  });
});

describe('a broker that cannot be used', () => {
  test.each(['head-node', 'provider-node'])(
    '%s does not start with guest on another machine, and says so in three lines',
    (program) => {
      const { code, stderr } = run(program, [], { AMQP_URL: 'amqp://guest:s3cret@broker.example/muster' });
      expect(code).toBe(2);
      expect(stderr.trim().split('\n')).toEqual([
        expect.stringMatching(/^error: .*guest.* \(BACKBONE_REFUSED, exit 2\)$/),
        expect.stringMatching(/^ {2}why: broker\.example:5672 /),
        expect.stringMatching(/^ {2}fix: AMQP_URL=/),
      ]);
    },
  );

  test('nor without a broker for what is said of it, nor with half of a certificate', () => {
    const missing = run('head-node', ['--amqp-admin', 'http://keeper:s3cret@127.0.0.1:15672']);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('no broker') });
    const half = run('head-node', ['--amqp-cert', '/nowhere'], { AMQP_URL: 'amqps://head:s3cret@broker' });
    expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('--amqp-key is missing') });
    expect(missing.stderr + half.stderr).not.toContain('s3cret');
  });
});

describe('secrets', () => {
  test('in a file that others may read give a warning, and on the command line another', () => {
    const file = join(directories.make(), 'url');
    writeFileSync(file, 'amqp://guest:s3cret@broker.example', { mode: 0o600 });
    chmodSync(file, 0o644);
    const exposed = run('head-node', [], { AMQP_URL_FILE: file });
    expect(exposed.stderr).toContain(`warning: ${file} holds a secret, and other accounts may read it (mode 644)`);
    const shown = run('head-node', ['--amqp', 'amqp://guest:s3cret@broker.example']);
    expect(shown.stderr).toContain('warning: --amqp shows its password to every account of this machine');
    expect(exposed.stderr + shown.stderr).not.toContain('s3cret');
  });

  test('that an error quotes are masked in it', () => {
    const { code, stderr } = run('head-node', ['--port-base', 'amqp://head:s3cret@broker']);
    expect(code).toBe(2);
    expect(stderr).not.toContain('s3cret');
  });
});
