import { MusterError } from './errors.ts';

const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_BYTES: Record<string, number> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Node.js timers of more than 2^31 ms fire at once. */
export const TIMER_MS_MAX = 24 * 86_400_000;

/** `'30s'`, `'10m'`, `'250ms'` or a plain number of seconds, to milliseconds. Throws USAGE, also above `max`. */
export function parseDurationMs(text: string, option: string, max = Infinity): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (!match) throw badQuantity({ option, text, example: `${option} 30s` });
  const ms = Number(match[1]) * (DURATION_MS[match[2] ?? 's'] ?? 1000);
  if (ms <= max) return ms;
  const days = Math.floor(max / 86_400_000);
  throw new MusterError('USAGE', `${option} is too long`, {
    why: `got '${text}', at most ${days} days can be waited for`,
    fix: `${option} ${days}d`,
  });
}

/** `'512M'`, `'4G'`, `'1.5GiB'` or a plain number of bytes, to bytes (units are powers of 1024). Throws USAGE, also below `min`. */
export function parseSizeBytes(text: string, option: string, min = 0): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt])?(?:i?b)?$/i.exec(text.trim());
  if (!match) throw badQuantity({ option, text, example: `${option} 4G` });
  const bytes = Math.floor(Number(match[1]) * (SIZE_BYTES[(match[2] ?? 'b').toLowerCase()] ?? 1));
  if (bytes >= min) return bytes;
  throw new MusterError('USAGE', `${option} is too small`, {
    why: `got '${text}', which is ${formatBytes(bytes)}; at least ${formatBytes(min)} are needed`,
    fix: `${option} 4G`,
  });
}

/** [min, max], and a number for the error to propose. */
export type WholeRange = readonly [min: number, max: number, example?: number];

/** A whole number in [min, max]. */
export function parseWhole(text: string, option: string, [min, max, example = 4]: WholeRange): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new MusterError('USAGE', `${option} needs a whole number from ${min} to ${max}`, {
    why: `got '${text}'`,
    fix: `${option} ${Math.min(Math.max(example, min), max)}`,
  });
}

function badQuantity({ option, text, example }: { option: string; text: string; example: string }): MusterError {
  return new MusterError('USAGE', `${option} cannot be read`, { why: `got '${text}'`, fix: example });
}

/** '1 node', '2 nodes'. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${UNITS[power]}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
