/** Only the connection that carries results breaks, in the middle of them: what was on it is sent again, and nothing is taken with a hole. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { bytesOf, channels, exportModel, npyArrayHeader, parseModel } from '@muster/shared';
import { ClusterUnderTest, freePortBase, TcpProxy, waitUntil } from '@muster/shared/testkit';

const COLUMNS = 1024;
/** Blocks of 16 MiB: more than a socket has queued, which is 64 chunks of 1 MiB. */
const [ROWS, ROWS_PER_BLOCK] = [24_576, 4096];

let cluster: ClusterUnderTest;
let proxies: TcpProxy[];

beforeEach(async () => {
  cluster = await ClusterUnderTest.start({ providers: 0 });
  const [from, to] = [await freePortBase(), cluster.cluster.portBase];
  // One for each port, so that one connection can break alone.
  proxies = await Promise.all(
    Object.values(channels).map((at) => TcpProxy.start({ from: from + at, to: to + at, ports: 1 })),
  );
  await cluster.cluster.addProvider('far', ['--blocks', 'wire', '--threads', '1', '--port-base', String(from)]);
}, 60_000);

afterEach(async () => {
  await cluster.end();
  await Promise.all(proxies.map((proxy) => proxy.close()));
}, 30_000);

test('a connection of results that stalls and breaks costs time, not rows', async () => {
  const results = proxies[channels.results]!;
  const layers = [{ type: 'dense', units: COLUMNS, bias: false }];
  const model = parseModel({ name: 'copy', input: [COLUMNS], layers, loss: 'meanSquaredError' });
  const rows = Float32Array.from({ length: ROWS * COLUMNS }, (_, at) => 1 + (at % 1000));
  const [onnx, x, y] = ['m.onnx', 'x.npy', 'y.npy'].map((name) => cluster.file(name)) as [string, string, string];
  writeFileSync(onnx, exportModel(model, identity(COLUMNS)));
  writeFileSync(x, Buffer.concat([npyArrayHeader('<f4', [ROWS, COLUMNS]), bytesOf(rows)]));
  const files = ['--model', onnx, '--input', x, '--out', y, '--rows-per-block', String(ROWS_PER_BLOCK)];
  const client = cluster.client('--task', 'infer', '--nodes', '1', ...files);
  await waitUntil(() => results.passedBytes > 8 * 2 ** 20, { what: 'half of a result', timeoutMs: 20_000 });
  results.blackHole();
  const [far] = cluster.cluster.providers;
  await far?.said('lost the head');
  results.cut();
  results.heal();
  const { code, stderr } = await client.ended();
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const written = readFileSync(y);
  expect(written.subarray(-rows.byteLength).equals(bytesOf(rows))).toBe(true);
}, 60_000);

const identity = (size: number): Float32Array =>
  Float32Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));
