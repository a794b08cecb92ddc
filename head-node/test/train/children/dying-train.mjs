// Ends itself when it is asked to fold more than `MUSTER_TEST_FOLDS` rounds, in its first `MUSTER_TEST_DEATHS` lives; one byte of the file
// counts a life. Does not even start in lives after the first `MUSTER_TEST_LIVES_MAX`.
import { appendFileSync, statSync } from 'node:fs';

const livesFile = process.env.MUSTER_TEST_LIVES;
appendFileSync(livesFile, '.');
const lives = statSync(livesFile).size;
if (lives > Number(process.env.MUSTER_TEST_LIVES_MAX ?? Infinity)) process.exit(3);
if (lives <= Number(process.env.MUSTER_TEST_DEATHS)) {
  const { stdin } = process;
  const on = stdin.on.bind(stdin);
  let folds = 0;
  const listen = (listener) => (chunk) => {
    if (chunk.includes('accepted')) folds += 1;
    if (folds > Number(process.env.MUSTER_TEST_FOLDS)) process.kill(process.pid, 'SIGKILL');
    listener(chunk);
  };
  // No listener of its own: the stream would flow before the program listens.
  stdin.on = (event, listener) => on(event, event === 'data' ? listen(listener) : listener);
}
await import('../../../dist/train/train-main.js');
