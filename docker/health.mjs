// Health of a container, as its exit status: `health.mjs head|provider`.
import { readFileSync } from 'node:fs';

const HEAD_READY = 'http://127.0.0.1:8080/readyz';
/** Of /proc/net/tcp. */
const ESTABLISHED = '01';
const FIRST_PORT = 5555;
const TASKS_PORT = FIRST_PORT + 1;

const checks = { head: headTakesTasks, provider: providerHasJoined };
process.exitCode = (await checks[process.argv[2]]()) ? 0 : 1;

async function headTakesTasks() {
  return (await fetch(HEAD_READY)).ok;
}

/** It subscribes to tasks when the head has registered it, and the connection goes when either loses the other. */
function providerHasJoined() {
  return connections().some(({ remotePort, state }) => remotePort === TASKS_PORT && state === ESTABLISHED);
}

/** Lines are 'n: local:port remote:port state ...', numbers in hexadecimal. */
function connections() {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'latin1').split('\n').slice(1),
  );
  return lines.filter(Boolean).map((line) => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return { remotePort: Number.parseInt(remote.split(':')[1], 16), state };
  });
}
