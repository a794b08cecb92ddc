/** Time from a fault to useful work, for each fault that can be caused on this machine. */
import { brokerFaults } from '../recovery/broker-faults.ts';
import type { Fault, Recovery } from '../recovery/fault.ts';
import { headFaults } from '../recovery/head-faults.ts';
import { providerFaults } from '../recovery/provider-faults.ts';
import { median } from '../stats.ts';

export interface RecoveryRow {
  readonly fault: string;
  /** What counts as useful work. */
  readonly until: string;
  readonly repetitions: number;
  /** Median and worst; null if not measured. In a comparison `ms` is that of the repetition with the median slowdown. */
  readonly ms: number | null;
  readonly worstMs: number | null;
  readonly targetMs: number | null;
  /** The same without the fault, in the repetition of `ms`; null if nothing is compared. */
  readonly faultFreeMs: number | null;
  readonly slowdownMax: number | null;
  /** Whether the worst time kept to the target, or the median slowdown to its limit; null where nothing was promised or measured. */
  readonly met: boolean | null;
  /** Why it was not measured; '' if it was. */
  readonly missing: string;
}

export interface RecoveryOptions {
  readonly repetitions: number;
  /** Nodes that return to a head at once. */
  readonly crowd: number;
  /** Length of the task during which a broker is away and comes back. */
  readonly longMs: number;
  readonly signal: AbortSignal;
  readonly onRow: (row: RecoveryRow) => void;
}

export async function measureRecovery(options: RecoveryOptions): Promise<RecoveryRow[]> {
  const { crowd, longMs, onRow } = options;
  const rows: RecoveryRow[] = [];
  for (const fault of [...providerFaults, ...headFaults(crowd), ...brokerFaults(longMs)]) {
    const missing = fault.missing();
    const recoveries = missing === '' ? await repeated(fault, options) : [];
    const row = recoveryRow(fault, { missing, recoveries });
    onRow(row);
    rows.push(row);
  }
  return rows;
}

async function repeated(
  fault: Fault,
  { repetitions, signal }: Pick<RecoveryOptions, 'repetitions' | 'signal'>,
): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  while (recoveries.length < repetitions) {
    signal.throwIfAborted();
    recoveries.push(await fault.run());
  }
  return recoveries;
}

type Promised = Pick<Fault, 'name' | 'until' | 'targetMs' | 'slowdownMax'>;

export function recoveryRow(
  { name, until, targetMs, slowdownMax }: Promised,
  { missing, recoveries }: { readonly missing: string; readonly recoveries: readonly Recovery[] },
): RecoveryRow {
  const times = recoveries.map(({ ms }) => ms);
  const compared = medianSlowdown(recoveries);
  const measured = {
    ms: compared?.ms ?? (times.length > 0 ? median(times) : null),
    worstMs: times.length > 0 ? Math.max(...times) : null,
    targetMs,
    faultFreeMs: compared?.faultFreeMs ?? null,
    slowdownMax,
  };
  return { fault: name, until, repetitions: recoveries.length, ...measured, met: isMet(measured), missing };
}

/** Each repetition is compared only with itself, because the task is sized anew for each. */
function medianSlowdown(recoveries: readonly Recovery[]): Recovery | undefined {
  const compared = recoveries
    .filter(({ faultFreeMs }) => faultFreeMs !== null)
    .toSorted((a, b) => slowdown(a) - slowdown(b));
  return compared[Math.floor((compared.length - 1) / 2)];
}

const slowdown = ({ ms, faultFreeMs }: Recovery): number => ms / (faultFreeMs ?? ms);

function isMet({
  ms,
  worstMs,
  targetMs,
  faultFreeMs,
  slowdownMax,
}: Pick<RecoveryRow, 'ms' | 'worstMs' | 'targetMs' | 'faultFreeMs' | 'slowdownMax'>): boolean | null {
  if (ms === null || worstMs === null) return null;
  if (slowdownMax !== null && faultFreeMs !== null) return ms <= (1 + slowdownMax) * faultFreeMs;
  return targetMs === null ? null : worstMs <= targetMs;
}
