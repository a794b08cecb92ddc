// `npm run demo`: from a fresh clone to a verified product. Installs, builds, starts a head and four providers, multiplies two
// 2048 x 2048 matrices with user-client, checks the product against this one process, and leaves nothing running.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './ensure-built.mjs';

const SIZE = 2048;
const NODES = 4;
const ROWS_CHECKED_IN_FLOAT64 = 32;

say('installing and building (once)...');
ensureBuilt();
const { bytesOf, npyHeader, parseNpyHeader, seededRandom } = await import('@muster/shared');
const { interruptions } = await import('@muster/shared/io');
const { LocalCluster } = await import('@muster/shared/testkit');
const { multiplyInProcess } = await import('@muster/benchmarks');

say(`starting a head and ${NODES} providers...`);
const threads = Math.max(1, Math.floor(availableParallelism() / NODES));
const signal = interruptions();
try {
  const providerArguments = ['--threads', String(threads)];
  const cluster = await LocalCluster.start({ providers: NODES, providerArguments, signal });
  try {
    process.exitCode = await multiplyAndCheck(cluster);
  } finally {
    await cluster.stop();
  }
} catch (error) {
  if (!signal.aborted) throw error;
}
if (signal.aborted) process.exitCode = 130;

async function multiplyAndCheck(cluster) {
  const [a, b] = [randomMatrix(1), randomMatrix(2)];
  const file = (name) => join(cluster.directory, name);
  writeMatrix(file('A.npy'), a);
  writeMatrix(file('B.npy'), b);
  const operands = ['--a', file('A.npy'), '--b', file('B.npy'), '--out', file('C.npy')];
  const command = ['--task', 'matrix_mult', '--nodes', String(NODES), ...operands];
  say(`user-client ${command.join(' ')}`);
  const { code, stderr } = await cluster.client(command);
  // The file goes away with the cluster.
  process.stderr.write(stderr.replace(/^ *result: .*\n/m, ''));
  return code === 0 ? check({ a, b, c: readMatrix(file('C.npy')) }) : code;
}

/** Every element against ONNX Runtime in this process, some rows against plain float64 arithmetic. */
async function check({ a, b, c }) {
  const { product, ms } = await multiplyInProcess(a, b, SIZE);
  const bound = 4 * 2 ** -24 * SIZE * 0.25;
  const worst = Math.max(maxDifference(c, product), maxErrorOfRows(a, b, c));
  say(
    `one process, one thread: ${ms.toFixed(0)} ms; largest difference ${worst.toExponential(2)}, bound ${bound.toExponential(2)}`,
  );
  say(worst <= bound ? 'the product is right' : 'THE PRODUCT IS WRONG');
  return worst <= bound ? 0 : 1;
}

function maxDifference(left, right) {
  let worst = 0;
  for (let i = 0; i < left.length; i += 1) worst = Math.max(worst, Math.abs(left[i] - right[i]));
  return Number.isNaN(worst) ? Infinity : worst;
}

function maxErrorOfRows(a, b, c) {
  let worst = 0;
  for (let at = 0; at < ROWS_CHECKED_IN_FLOAT64; at += 1) {
    const row = Math.floor((at * SIZE) / ROWS_CHECKED_IN_FLOAT64);
    const exact = new Float64Array(SIZE);
    for (let k = 0; k < SIZE; k += 1) {
      const factor = a[row * SIZE + k];
      for (let column = 0; column < SIZE; column += 1) exact[column] += factor * b[k * SIZE + column];
    }
    worst = Math.max(worst, maxDifference(c.subarray(row * SIZE, (row + 1) * SIZE), exact));
  }
  return worst;
}

/** Uniform in [-0.5, 0.5). */
function randomMatrix(seed) {
  const random = seededRandom(seed);
  return Float32Array.from({ length: SIZE * SIZE }, () => random() - 0.5);
}

function writeMatrix(path, elements) {
  writeFileSync(path, Buffer.concat([npyHeader('float32', [SIZE, SIZE]), bytesOf(elements)]));
}

function readMatrix(path) {
  const bytes = readFileSync(path);
  const { dataOffset } = parseNpyHeader(bytes);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + dataOffset, bytes.byteOffset + bytes.length));
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
