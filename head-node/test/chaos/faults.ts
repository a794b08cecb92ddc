/** What can happen to a cluster at any time. All work on the rig's processes; `killChildren` needs /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import type { FaultRig, Submitted } from './fault-rig.ts';

/** Does harm now, and gives what makes it good again when the result is there. */
export type Fault = (work: Submitted) => Promise<() => Promise<void>>;

const nothing = (): Promise<void> => Promise.resolve();

export const faultsOf = (rig: FaultRig): Readonly<Record<string, Fault>> => ({
  'a provider is killed': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await rig.cluster.kill(program);
    return async () => void (await rig.rejoin(name));
  },
  'a provider is killed and comes back at once': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await rig.cluster.kill(program);
    await rig.rejoin(name);
    return nothing;
  },
  'a provider leaves': async (work) => {
    const { program, name } = await rig.busyNode(work);
    await program.stop();
    return async () => void (await rig.rejoin(name));
  },
  'a provider is frozen': async (work) => {
    const { process } = (await rig.busyNode(work)).program;
    process.kill('SIGSTOP');
    return () => Promise.resolve(void process.kill('SIGCONT'));
  },
  'a compute process is killed': async (work) => {
    const { program } = await rig.busyNode(work);
    killChildren(program.process.pid);
    return nothing;
  },
  'the processes beside the head are killed': () => {
    killChildren(rig.cluster.cluster.head.process.pid);
    return Promise.resolve(nothing);
  },
  'the head is killed': async () => {
    await rig.cluster.kill(rig.cluster.cluster.head);
    await rig.cluster.cluster.restartHead();
    return nothing;
  },
  'the head is stopped and started': async () => {
    await rig.cluster.cluster.head.stop();
    await rig.cluster.cluster.restartHead();
    return nothing;
  },
});

function killChildren(parent = 0): void {
  const parentOf = (pid: string): number =>
    Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (parentOf(pid) === parent) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended while we looked.
    }
  }
}
