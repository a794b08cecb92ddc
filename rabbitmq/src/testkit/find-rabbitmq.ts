import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian's folder comes before PATH, where Debian has a wrapper that switches to another user. */
const USUAL_FOLDERS = [
  '/usr/lib/rabbitmq/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/opt/rabbitmq/sbin',
  '/usr/local/sbin',
];

/** Path of `rabbitmq-server`, from RABBITMQ_SERVER, the usual folders or PATH; undefined when it is not installed. */
export function findRabbitServer(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [...USUAL_FOLDERS, ...(environment['PATH'] ?? '').split(delimiter)];
  const candidates = folders.map((folder) => join(folder, 'rabbitmq-server'));
  return [environment['RABBITMQ_SERVER'] ?? '', ...candidates].find((path) => path !== '' && isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
