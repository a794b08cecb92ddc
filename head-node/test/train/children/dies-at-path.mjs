// Ends itself when it makes a folder or opens a file in whose path `MUSTER_TEST_DIES_AT` is.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

for (const name of ['mkdirSync', 'openSync']) {
  const original = fs[name];
  fs[name] = (path, ...rest) => {
    if (String(path).includes(process.env.MUSTER_TEST_DIES_AT)) process.kill(process.pid, 'SIGKILL');
    return original(path, ...rest);
  };
}
syncBuiltinESMExports();
await import('../../../dist/train/train-main.js');
