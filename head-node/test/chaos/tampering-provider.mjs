// A provider that returns wrong results: node tampering-provider.mjs NAME STATE PORT_BASE TAMPER
import { startProviderNode } from '../../../provider-node/dist/index.js';

const [name, stateDirectory, portBase, tamper] = process.argv.slice(2);
const say = (line) => process.stderr.write(`${line}\n`);
const node = await startProviderNode({
  head: '127.0.0.1',
  portBase: Number(portBase),
  name,
  stateDirectory,
  device: 'cpu',
  threads: 1,
  tamper,
  onStatus: say,
});
process.once('SIGTERM', () => void node.stop());
