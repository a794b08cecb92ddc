import { MusterError } from '../../../dist/index.js';
import { serveFrames } from '../../../dist/io/index.js';

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
  spin: () => {
    for (;;);
  },
});
