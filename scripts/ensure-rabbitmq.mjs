// Part of `npm test` and `.ci/run`: the tests of the backbone use a RabbitMQ of their own, so its program must be installed.
// Installs it where that needs nobody's password (Debian, Ubuntu); says in one line what to install everywhere else.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './ensure-built.mjs';

const POLICY = '/usr/sbin/policy-rc.d';

/** False, with the line printed, when there is no RabbitMQ and none can be installed. */
export async function ensureRabbit() {
  const { findRabbitServer } = await import('@muster/rabbitmq/testkit');
  if (findRabbitServer()) return true;
  if (canInstall()) install();
  if (findRabbitServer()) return true;
  console.error('RabbitMQ is missing: install rabbitmq-server 3.10 or newer, or set RABBITMQ_SERVER to its path');
  return false;
}

const asRoot = (command, options = {}) =>
  spawnSync(process.getuid() === 0 ? 'env' : 'sudo', process.getuid() === 0 ? command : ['-n', ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    ...options,
  }).status === 0;

function canInstall() {
  return process.platform === 'linux' && existsSync('/usr/bin/apt-get') && asRoot(['true'], { stdio: 'ignore' });
}

/** The package starts a broker for the whole machine unless a policy forbids it; nobody asked for that one. */
function install() {
  const ownPolicy = !existsSync(POLICY) && writePolicy();
  const packages = ['DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '--no-install-recommends'];
  console.error('installing rabbitmq-server for the tests of the backbone');
  asRoot(['apt-get', 'update']);
  asRoot(['env', ...packages, 'rabbitmq-server']);
  if (existsSync('/run/systemd/system')) asRoot(['systemctl', 'disable', '--now', 'rabbitmq-server']);
  if (ownPolicy) asRoot(['rm', POLICY]);
}

function writePolicy() {
  const folder = mkdtempSync(join(tmpdir(), 'muster-policy-'));
  const policy = join(folder, 'policy-rc.d');
  writeFileSync(policy, '#!/bin/sh\nexit 101\n');
  chmodSync(policy, 0o755);
  const written = asRoot(['cp', policy, POLICY]);
  rmSync(folder, { recursive: true });
  return written;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureBuilt();
  process.exitCode = (await ensureRabbit()) ? 0 : 1;
}
