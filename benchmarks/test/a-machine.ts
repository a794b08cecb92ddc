import type { Machine } from '../src/machine.ts';

export const machine: Machine = {
  cpu: 'a CPU',
  cores: 2,
  memoryBytes: 2 ** 34,
  node: 'v20.0.0',
  os: 'Linux 6.1 x64',
  date: '2026-03-01T10:00:00.000Z',
};
