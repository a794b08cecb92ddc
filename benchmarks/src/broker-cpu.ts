import { readFileSync } from 'node:fs';

/** USER_HZ, which Linux fixes at 100 in /proc. */
const TICKS_PER_SECOND = 100;
/** Indices among the fields behind the program's name, where the third of `proc(5)` has index 0. */
const [USER_TIME, SYSTEM_TIME] = [11, 12];

/** User and system CPU time of a process so far, in ms with a resolution of 10; null where the system does not report it. */
export function cpuTimeMs(pid: number | undefined): number | null {
  if (process.platform !== 'linux' || pid === undefined) return null;
  return cpuTimeOf(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Parses a line of `/proc/<pid>/stat`. The program's name may contain blanks and brackets. */
export function cpuTimeOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * 1000) / TICKS_PER_SECOND;
}
