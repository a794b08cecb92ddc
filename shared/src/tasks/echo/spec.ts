import { z } from 'zod';
import { parseOrThrow } from '../../first-issue.ts';
import { limits } from '../../protocol/limits.ts';

const within = (min: number, max: number): z.ZodNumber => z.number().int().min(min).max(max);

/** A diagnostic of dispatch: `count` subtasks that carry `bytes` bytes each to a provider, which sends them back unchanged. */
export const echoSpec = z.object({
  count: within(1, limits.echoCountMax.value),
  bytes: within(8, limits.echoBytesMax.value).default(64),
  /** Subtasks in one lease. */
  batch: within(1, 4096).default(64),
  /** Leases under way at one provider at a time; absent: the head's own window. */
  window: within(1, limits.creditBatches.value).optional(),
});

export type EchoSpec = z.infer<typeof echoSpec>;

export const parseEchoSpec = (raw: unknown): EchoSpec => parseOrThrow(echoSpec, raw, 'the echo');
