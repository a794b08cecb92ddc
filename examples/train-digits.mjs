// Trains a network on digits that are drawn by a program, through the client library, and tries it on a few of them.
//
//   npx head-node & npx provider-node & npx provider-node --name two --state /tmp/two
//   node examples/train-digits.mjs [port base of the head, 5555 unless given]
import { connectClient, openDataSet } from '@muster/user-client';

const client = await connectClient({ host: '127.0.0.1', portBase: Number(process.argv[2] ?? 5555) });
try {
  const data = await openDataSet('synthetic:4000', { seed: 1 });
  console.log(data.describe);
  const model = {
    name: 'small',
    input: data.layout.features,
    layers: [{ type: 'flatten' }, { type: 'dense', units: 128 }, { type: 'relu' }, { type: 'dense', units: 10 }],
    loss: 'crossEntropy',
  };
  const run = await client.train({ model, data, options: { epochs: 5, batch: 64 } });
  run.onProgress(({ training }) => {
    if (training?.loss != null)
      console.log(`step ${training.step}/${training.steps}: loss ${training.loss.toFixed(3)}`);
  });
  const { training } = await run.wait();
  console.log(`test accuracy ${training.testAccuracy}`);
  console.log(`answers right: ${rightAnswers(await run.model(), data.test.read(0, 100))} of 100`);
} finally {
  await client.close();
}

/** The network in plain JavaScript, with the weights that came back. */
function rightAnswers(weights, { features, targets }) {
  const layer = (name, input) => {
    const [rows, columns] = weights.get(`${name}.weight`).shape;
    const { values } = weights.get(`${name}.weight`);
    const output = Float32Array.from(weights.get(`${name}.bias`).values);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) output[column] += input[row] * values[row * columns + column];
    return output;
  };
  return targets.reduce((right, label, sample) => {
    const pixels = Float32Array.from(features.subarray(sample * 784, (sample + 1) * 784), (byte) => byte / 255);
    const hidden = layer('layers.1', pixels).map((value) => Math.max(0, value));
    const scores = layer('layers.3', hidden);
    return right + (scores.indexOf(Math.max(...scores)) === label ? 1 : 0);
  }, 0);
}
