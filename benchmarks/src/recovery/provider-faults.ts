import { MusterError } from '@muster/shared';
import { NetworkNamespace, waitUntil } from '@muster/shared/testkit';
import { everywhere, recovered, type Fault, type Recovery } from './fault.ts';
import { RecoveryRig } from './rig.ts';

const NODES = 3;
/** Share of the task that is done before the fault. */
const SHARE = 0.3;
const TAKEN_OVER = 'its work is with another node';

export const providerFaults: readonly Fault[] = [
  { name: 'provider killed', until: TAKEN_OVER, targetMs: 500, slowdownMax: null, missing: everywhere, run: killed },
  { name: 'provider frozen', until: TAKEN_OVER, targetMs: 4000, slowdownMax: null, missing: everywhere, run: frozen },
  {
    name: 'provider told to leave',
    until: 'it has left',
    targetMs: 10_000,
    slowdownMax: null,
    missing: everywhere,
    run: leaving,
  },
  {
    name: 'provider vanished',
    until: TAKEN_OVER,
    targetMs: 3000,
    slowdownMax: null,
    missing: () => NetworkNamespace.missing(),
    run: vanished,
  },
];

function killed(): Promise<Recovery> {
  return RecoveryRig.with({ providers: NODES }, async (rig) => {
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    const victim = await rig.busyNode(work);
    const sinceMs = Date.now();
    await rig.cluster.kill(rig.programOf(victim));
    const ms = await rig.takenOver(work, victim, sinceMs);
    await rig.finished(work);
    return recovered(ms);
  });
}

function frozen(): Promise<Recovery> {
  return RecoveryRig.with({ providers: NODES }, async (rig) => {
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    const victim = await rig.busyNode(work);
    const program = rig.programOf(victim);
    const sinceMs = Date.now();
    program.process.kill('SIGSTOP');
    const ms = await rig.takenOver(work, victim, sinceMs);
    await rig.finished(work);
    program.process.kill('SIGCONT');
    await waitUntil(async () => (await rig.client.nodes()).every(({ state }) => state === 'ready'), {
      what: 'the frozen node is back',
      timeoutMs: 20_000,
    });
    return recovered(ms);
  });
}

function leaving(): Promise<Recovery> {
  return RecoveryRig.with({ providers: NODES }, async (rig) => {
    const work = await rig.product(NODES);
    await rig.reached(work, SHARE);
    const program = rig.programOf(await rig.busyNode(work));
    const startMs = performance.now();
    program.process.kill('SIGTERM');
    const { code } = await program.ended();
    const ms = performance.now() - startMs;
    if (code !== 0) throw new MusterError('BUG', `a provider that was told to leave ended with ${code}`);
    await rig.finished(work);
    return recovered(ms);
  });
}

/** Drops all packets from and to the node; its connections stay open. */
async function vanished(): Promise<Recovery> {
  const namespace = NetworkNamespace.open();
  try {
    return await RecoveryRig.with({ providers: NODES - 1, headArguments: ['--host', '0.0.0.0'] }, async (rig) => {
      const where = ['--head', namespace.host, '--blocks', 'wire'];
      const remote = await rig.cluster.cluster.addProvider('remote', where, namespace);
      try {
        const work = await rig.product(NODES);
        await rig.reached(work, SHARE);
        const victim = await rig.busyNode(work, 'remote');
        const sinceMs = Date.now();
        namespace.cut();
        const ms = await rig.takenOver(work, victim, sinceMs);
        await rig.finished(work);
        return recovered(ms);
      } finally {
        await rig.cluster.kill(remote);
      }
    });
  } finally {
    namespace.close();
  }
}
