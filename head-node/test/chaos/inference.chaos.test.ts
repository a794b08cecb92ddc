/** A network over many rows on four nodes, one of which is killed: every row is there, in its place. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { bytesOf, exportModel, initialWeights, npyArrayHeader, presetModel, seededRandom } from '@muster/shared';
import { maxAbsError } from '@muster/shared/testkit';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FaultRig } from './fault-rig.ts';

const ROWS = process.env['MUSTER_CHAOS'] === 'long' ? 60_000 : 6000;
const SAMPLE = [1, 28, 28];
/** Blocks of other sizes than the whole are added up in another order. */
const TOLERANCE = 1e-4;

let rig: FaultRig;

beforeAll(async () => {
  rig = await FaultRig.start({ providers: 4 });
}, 120_000);

afterAll(() => rig.end(), 30_000);

test('a LeNet over four nodes gives what one run of ONNX Runtime gives, row for row', async () => {
  const lenet = presetModel('lenet', { input: SAMPLE, classes: 10 });
  const model = exportModel(lenet, initialWeights(lenet, 1));
  const random = seededRandom(2);
  const rows = Float32Array.from({ length: ROWS * 28 * 28 }, () => random());
  const [onnx, x, y] = ['m.onnx', 'x.npy', 'y.npy'].map((name) => rig.cluster.file(name)) as [string, string, string];
  writeFileSync(onnx, model);
  writeFileSync(x, Buffer.concat([npyArrayHeader('<f4', [ROWS, ...SAMPLE]), bytesOf(rows)]));
  const files = ['--model', onnx, '--input', x, '--out', y];
  const work = await rig.submit('--task', 'infer', '--nodes', '4', ...files, '--rows-per-block', '50');
  await rig.reached(work, 0.1);
  await rig.cluster.kill((await rig.busyNode(work)).program);
  const { code, stderr } = await work.client.ended();
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(maxAbsError(floatsIn(y, ROWS * 10), await outputsOf(model, rows))).toBeLessThan(TOLERANCE);
  await rig.expectOnce(work);
}, 60_000);

/** The last `count` elements of a `.npy` file. */
function floatsIn(path: string, count: number): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(Uint8Array.from(bytes.subarray(bytes.length - 4 * count)).buffer);
}

async function outputsOf(model: Uint8Array, rows: Float32Array): Promise<Float32Array> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
  const { [output]: found } = await session.run({ [input]: new Tensor('float32', rows, [ROWS, ...SAMPLE]) });
  await session.release();
  return found?.data as Float32Array;
}
