import { appendFileSync } from 'node:fs';
import { MusterError } from '../../../dist/index.js';
import { serveFrames } from '../../../dist/io/index.js';

const [log] = process.argv.slice(2);
const note = (line) => appendFileSync(log, `${line}\n`);
const parent = process.ppid;
if (log) process.on('exit', () => note('ended'));

function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

await serveFrames({
  echo: (value) => value,
  later: async (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms)),
  refuse: () => {
    throw new MusterError('BLOCK_MISSING', 'no such block', { why: 'asked for x', fix: 'send it' });
  },
  crash: () => {
    process.stderr.write('last words\n', () => process.exit(3));
    return new Promise(() => undefined);
  },
  garbage: () => {
    process.stdout.write('hello, world');
    return new Promise(() => undefined);
  },
  note: (line) => {
    note(line);
    return null;
  },
  blockUntilOrphaned: () => {
    while (lives(parent)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    note('orphaned');
    return null;
  },
  spin: () => {
    for (;;);
  },
});
