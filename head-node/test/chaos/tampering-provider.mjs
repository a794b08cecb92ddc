// A provider that returns wrong tiles: node tampering-provider.mjs NAME STATE PORT_BASE
import { startProviderNode } from '../../../provider-node/dist/index.js';

const [name, stateDirectory, portBase] = process.argv.slice(2);
const say = (line) => process.stderr.write(`${line}\n`);
const node = await startProviderNode({
  head: '127.0.0.1',
  portBase: Number(portBase),
  name,
  stateDirectory,
  device: 'cpu',
  threads: 1,
  tamper: 'all',
  onNews: say,
});
process.once('SIGTERM', () => void node.stop());
