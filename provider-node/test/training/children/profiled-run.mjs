// Runs one graph on one execution provider, alone in a process: a Vulkan driver is found through the environment it starts with.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { sessionOptions } from '../../../dist/compute/backends/onnx-options.js';

process.once('message', async (job) => {
  process.send(await run(job), () => process.disconnect());
});

async function run({ graph, inputs, kind, directory }) {
  const profile = { enableProfiling: true, profileFilePrefix: join(directory, 'profile') };
  const session = await InferenceSession.create(graph, { ...sessionOptions(kind, 1), ...profile });
  const feeds = Object.entries(inputs).map(([name, { values, dims }]) => [name, new Tensor('float32', values, dims)]);
  const results = await session.run(Object.fromEntries(feeds));
  session.endProfiling();
  const outputs = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
  return { outputs, providers: providersIn(directory) };
}

/** From each execution provider to the operators that ran on it. */
function providersIn(directory) {
  const [file] = readdirSync(directory);
  const providers = {};
  for (const { args } of JSON.parse(readFileSync(join(directory, file), 'utf8'))) {
    if (args?.provider) (providers[args.provider] ??= []).push(args.op_name);
  }
  return providers;
}
