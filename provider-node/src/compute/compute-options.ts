import { availableParallelism, totalmem } from 'node:os';
import type { Logger } from '@muster/shared';
import type { DeviceChoice, OpenRequest } from './compute-protocol.ts';

export interface ComputeOptions {
  readonly device: DeviceChoice;
  /** 0: one for each core that this process may use. */
  readonly threads: number;
  /** 0: half of the memory that is free now. */
  readonly maxMemoryBytes: number;
  readonly logger: Logger;
  /** For tests of verification: tiles come out wrong, see tamper.ts. No command line sets it. */
  readonly tamper?: string;
}

export interface ResolvedOptions {
  readonly threads: number;
  readonly memoryBytes: number;
  readonly openRequest: Omit<OpenRequest, 'kind' | 'served'>;
}

const CACHE_MAX_BYTES = 2 ** 28;
/** Share of the usable memory; the rest is for results and the runtime. */
const CACHE_SHARE = 1 / 4;

export function resolveOptions(options: ComputeOptions): ResolvedOptions {
  const threads = options.threads || availableParallelism();
  const memoryBytes = options.maxMemoryBytes || Math.floor(freeBytes() / 2);
  const cacheBytes = Math.min(CACHE_MAX_BYTES, Math.floor(memoryBytes * CACHE_SHARE));
  return {
    threads,
    memoryBytes,
    openRequest: { threads, cacheBytes, tamper: options.tamper ?? '' },
  };
}

/** macOS counts its file cache as used, hence the floor. */
const freeBytes = (): number => Math.max(process.availableMemory(), totalmem() / 8);
