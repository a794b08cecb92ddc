import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Whatever is run from here may load ONNX Runtime, which else reports to its maker and leaves files in the folder for temporary ones.
process.env.ORT_DISABLE_TELEMETRY = '1';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const lock = join(root, 'package-lock.json');
/** npm rewrites this file at the end of each install, so its age is the age of the installed tree. */
const installedLock = join(root, 'node_modules', '.package-lock.json');

/** Makes a fresh clone, or one whose lock file has moved on, runnable. Costs half a second when nothing changed. */
export function ensureBuilt() {
  if (isInstallStale()) runOrExit('npm ci');
  runOrExit('node node_modules/typescript/bin/tsc -b');
}

function isInstallStale() {
  return !existsSync(installedLock) || statSync(lock).mtimeMs > statSync(installedLock).mtimeMs;
}

/** Through a shell, because npm is a script on Windows. The command has said why it failed, so no stack follows. */
function runOrExit(command) {
  const { status } = spawnSync(command, { cwd: root, stdio: 'inherit', shell: true });
  if (status !== 0) process.exit(status ?? 1);
}
