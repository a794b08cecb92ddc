import { limits, parseWhole } from '@muster/shared';
import type { Flags } from '../flags.ts';
import { required, wholeOf } from './values.ts';

export interface EchoRun {
  readonly task: 'echo';
  readonly count: number;
  readonly bytes: number | undefined;
  readonly batch: number | undefined;
  readonly window: number | undefined;
}

export function resolveEcho(flags: Flags): EchoRun {
  const why = 'an echo needs a number of subtasks';
  const count = required(flags.count, '--count', { why, fix: '--task echo --count 10000' });
  return {
    task: 'echo',
    count: parseWhole(count, '--count', [1, limits.echoCountMax.value]),
    bytes: wholeOf(flags.bytes, '--bytes', [8, limits.echoBytesMax.value]),
    batch: wholeOf(flags.batch, '--batch', [1, 4096]),
    window: wholeOf(flags.window, '--window', [1, limits.creditBatches.value]),
  };
}
