import { readFileSync } from 'node:fs';

/** USER_HZ, which Linux keeps at 100 for whoever reads /proc. */
const TICKS_PER_SECOND = 100;
/** Fields behind the name of the program, from the third of `proc(5)` on. */
const [USER_TIME, SYSTEM_TIME] = [11, 12];

/** User and system time that a process has used so far, ms in steps of 10; null where the system does not tell. */
export function cpuTimeMs(pid: number | undefined): number | null {
  if (process.platform !== 'linux' || pid === undefined) return null;
  return cpuTimeOf(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Of a line of `/proc/<pid>/stat`. The name may have blanks and brackets in it. */
export function cpuTimeOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * 1000) / TICKS_PER_SECOND;
}
