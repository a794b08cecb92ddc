import { cpus, release, totalmem, type } from 'node:os';

/** Where and when figures were measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly os: string;
  /** ISO 8601, UTC. */
  readonly date: string;
}

export function describeMachine(nowMs: number): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown CPU',
    cores: cores.length,
    memoryBytes: totalmem(),
    node: process.version,
    os: `${type()} ${release()} ${process.arch}`,
    date: new Date(nowMs).toISOString(),
  };
}

/** '2026-03-01-amd-epyc-matmul.json' */
export function resultFileName({ date, cpu }: Machine, scenario: string): string {
  const words = cpu
    .toLowerCase()
    .replaceAll(/\((?:r|tm|c)\)/g, ' ')
    .match(/[a-z0-9]+/g) ?? ['cpu'];
  return `${date.slice(0, 10)}-${words.join('-')}-${scenario}.json`;
}
