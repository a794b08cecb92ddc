// Runs before everything else: makes the broker's passwords at the first start, and at every start writes the broker's files
// with their hashes. The passwords themselves stay in volumes that only their users mount.
import { hashPassword } from '@muster/rabbitmq';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `keeper` gives each provider a user of its own, in the head's name; `observer` is for people.
const ACCOUNTS = ['head', 'keeper', 'observer'];
const VOLUMES = '/etc/muster';
const TEMPLATES = fileURLToPath(new URL('../rabbitmq/broker/', import.meta.url));

let definitions = readFileSync(join(TEMPLATES, 'definitions.json'), 'utf8');
for (const account of ACCOUNTS) {
  const password = passwordOf(account);
  const urls = {
    'amqp-url': `amqp://${account}:${password}@rabbitmq:5672/muster\n`,
    'amqp-admin-url': `http://${account}:${password}@rabbitmq:15672\n`,
  };
  for (const [file, url] of Object.entries(urls)) writeFileSync(join(VOLUMES, account, file), url, { mode: 0o600 });
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
