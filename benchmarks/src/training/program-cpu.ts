import { readFileSync } from 'node:fs';
import { cpuTimeMs } from '../broker-cpu.ts';

/** CPU time of a program and its child processes so far, in ms with a resolution of 10; null where the system does not report it. */
export function programCpuMs(pid: number | undefined): number | null {
  const own = cpuTimeMs(pid);
  if (own === null || pid === undefined) return null;
  return childrenOf(pid).reduce((sum, child) => sum + (cpuTimeMs(child) ?? 0), own);
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
