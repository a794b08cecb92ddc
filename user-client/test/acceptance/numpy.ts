import { spawnSync } from 'node:child_process';

/** Runs a Python program with NumPy; its arguments arrive in `sys.argv[1:]`. Returns what it prints. */
export function python(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', program, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}`);
  return stdout;
}

export const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
