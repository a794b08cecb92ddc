import { startProviderNode, type ProviderNode } from '@muster/provider-node';
import { waitUntil } from '@muster/shared/testkit';
import { everywhere, recovered, type Fault, type Recovery } from './fault.ts';
import { RecoveryRig } from './rig.ts';

const NODES = 3;
const SHARE = 0.4;

export const headFaults = (crowd: number): readonly Fault[] => [
  {
    name: 'head killed and started again',
    until: 'the first tile that the new one accepts',
    targetMs: 6000,
    slowdownMax: null,
    missing: everywhere,
    run: headKilled,
  },
  {
    name: `head killed, ${crowd} nodes`,
    until: 'all are ready again',
    targetMs: 5000,
    slowdownMax: null,
    missing: everywhere,
    run: () => crowdReturns(crowd),
  },
];

function headKilled(): Promise<Recovery> {
  return RecoveryRig.with({ providers: NODES }, async (rig) => {
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    const startMs = performance.now();
    await rig.cluster.kill(rig.head);
    await rig.cluster.cluster.restartHead();
    // The counter of the new process began at zero.
    await waitUntil(async () => (await rig.counter('subtasks_accepted')) > 0, {
      what: 'the new head has accepted a tile',
      timeoutMs: 30_000,
    });
    const ms = performance.now() - startMs;
    await rig.finished(work);
    return recovered(ms);
  });
}

/**
 * Nodes with identities, sessions, sockets, heartbeats and compute processes of their own, but all in this process: separate processes
 * would need more memory than a small machine has, and would register in the same way.
 */
function crowdReturns(count: number): Promise<Recovery> {
  return RecoveryRig.with({ providers: 0 }, async (rig) => {
    const nodes: ProviderNode[] = [];
    try {
      // One after the other, because each measures its device.
      for (let at = 1; at <= count; at++) nodes.push(await startNode(rig, at));
      await allReady(rig, count);
      const startMs = performance.now();
      await rig.cluster.kill(rig.head);
      await rig.cluster.cluster.restartHead();
      await allReady(rig, count);
      return recovered(performance.now() - startMs);
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  });
}

async function startNode({ cluster }: RecoveryRig, at: number): Promise<ProviderNode> {
  const name = `crowd-${at}`;
  const node = await startProviderNode({
    head: cluster.endpoint.host,
    portBase: cluster.endpoint.portBase,
    name,
    stateDirectory: cluster.file(name),
    device: 'cpu',
    threads: 1,
    maxMemoryBytes: 64 * 2 ** 20,
  });
  await node.joined;
  return node;
}

const allReady = ({ client }: RecoveryRig, count: number): Promise<unknown> =>
  waitUntil(async () => (await client.nodes()).filter(({ state }) => state === 'ready').length === count, {
    what: `${count} nodes are ready`,
    timeoutMs: 60_000,
  });
