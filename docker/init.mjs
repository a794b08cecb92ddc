// Runs before everything else: makes the broker's passwords at the first start, and at every start writes the broker's files
// with their hashes. The passwords themselves stay in volumes that only their users mount.
import { hashPassword } from '@muster/rabbitmq';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ACCOUNTS = ['head', 'provider', 'observer'];
const VOLUMES = '/etc/muster';
const TEMPLATES = fileURLToPath(new URL('../rabbitmq/broker/', import.meta.url));

let definitions = readFileSync(join(TEMPLATES, 'definitions.json'), 'utf8');
for (const account of ACCOUNTS) {
  const password = passwordOf(account);
  const url = `amqp://${account}:${password}@rabbitmq:5672/muster\n`;
  writeFileSync(join(VOLUMES, account, 'amqp-url'), url, { mode: 0o600 });
  definitions = definitions.replace(`@${account.toUpperCase()}_PASSWORD_HASH@`, hashPassword(password));
}
// Readable for all: the broker runs under an account of its own image, and only hashes are in it.
writeFileSync(join(VOLUMES, 'broker', 'definitions.json'), definitions, { mode: 0o644 });
for (const file of ['rabbitmq.conf', 'enabled_plugins'])
  copyFileSync(join(TEMPLATES, file), join(VOLUMES, 'broker', file));

/** Made once: broker and programs must agree also after an update. */
function passwordOf(account) {
  const file = join(VOLUMES, account, 'password');
  try {
    writeFileSync(file, randomBytes(24).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8');
}
