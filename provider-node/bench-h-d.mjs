import ort from 'onnxruntime-node';
import {
  presetModel,
  trainingStep,
  initialWeights,
  parameters,
  parameterCount,
  exportModel,
} from '../shared/dist/index.js';
import { GraphBuilder } from '../shared/dist/onnx/graph-builder.js';
import { Tape } from '../shared/dist/onnx/tape.js';
import { network } from '../shared/dist/onnx/network.js';
import { losses } from '../shared/dist/onnx/ops/loss.js';
import { placeLayers } from '../shared/dist/model/place-layers.js';
import { sessionOptions } from './dist/compute/backends/onnx-options.js';
const f32 = (name, dims) => ({ name, type: 'float32', dims });
function separate(model) {
  const tape = new Tape(new GraphBuilder(), 'cpu');
  const ps = parameters(model);
  const weights = new Map(ps.map((p) => [p.name, { name: p.name, shape: p.shape, wanted: true }]));
  const output = network(
    tape,
    { name: 'X', shape: model.input, wanted: false },
    { layers: placeLayers(model.layers, model.input), weights, nextMask: () => undefined },
  );
  const l = losses[model.loss](tape.graph, output);
  const g = tape.gradients(output, l.gradient());
  tape.graph.addOutput('loss', 'Identity', { inputs: [l.loss] });
  tape.graph.addOutput('correct', 'Identity', { inputs: [l.correct] });
  for (const p of ps) tape.graph.addOutput('d:' + p.name, 'Identity', { inputs: [g.get(p.name)] });
  return tape.graph.encode({
    name: 's',
    inputs: [f32('X', ['N', ...model.input]), f32('Y', ['N', 10]), ...ps.map((p) => f32(p.name, p.shape))],
    outputs: [f32('loss', [1]), f32('correct', [1]), ...ps.map((p) => f32('d:' + p.name, p.shape))],
  });
}
const T = (v, d) => new ort.Tensor('float32', v, d);
for (const name of ['mlp', 'lenet']) {
  const model = presetModel(name, { input: [1, 28, 28], classes: 10 });
  const w = initialWeights(model, 1);
  const modes = {
    flat: trainingStep(model, { device: 'cpu' }),
    separate: separate(model),
    ...(process.argv[2] ? { gpuGraph: trainingStep(model, { device: 'gpu' }) } : {}),
  };
  const sessions = {};
  for (const [k, g] of Object.entries(modes)) {
    const arena = { enableCpuMemArena: true, enableMemPattern: true };
    sessions[k] = await ort.InferenceSession.create(g, { ...sessionOptions('cpu', 1) });
    sessions[k + '+arena'] = await ort.InferenceSession.create(g, { ...sessionOptions('cpu', 1), ...arena });
  }
  for (const n of [64, 256, 512]) {
    const X = T(Float32Array.from({ length: n * 784 }, Math.random), [n, 1, 28, 28]);
    const Y = new Float32Array(n * 10);
    for (let i = 0; i < n; i++) Y[i * 10 + (i % 10)] = 1;
    const flat = { weights: T(w, [w.length]), X, Y: T(Y, [n, 10]) };
    const sep = {
      X,
      Y: flat.Y,
      ...Object.fromEntries(
        parameters(model).map((p) => [
          p.name,
          T(w.slice(p.offset, p.offset + p.shape.reduce((a, b) => a * b, 1)), p.shape),
        ]),
      ),
    };
    const best = {};
    const times = {};
    const rounds = name === 'mlp' ? 60 : n === 64 ? 30 : 12;
    for (let r = 0; r < rounds; r++)
      for (const [k, s] of Object.entries(sessions)) {
        const feeds = k.startsWith('separate') ? sep : flat;
        const t = performance.now();
        await s.run(feeds);
        (times[k] ??= []).push(performance.now() - t);
      }
    for (const k in times) {
      times[k].sort((a, b) => a - b);
      best[k] = `${times[k][0].toFixed(2)} / ${times[k][times[k].length >> 1].toFixed(2)}`;
    }
    console.log(name, n, JSON.stringify(best));
  }
}
