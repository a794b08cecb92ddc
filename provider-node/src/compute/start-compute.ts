import { isMusterError, MusterError, type DeviceFacts } from '@muster/shared';
import { isTfjsInstalled } from './backends/tfjs/load-tfjs.ts';
import { ComputeProcess } from './compute-process.ts';
import { DeviceCompute, OPEN_LIMIT_MS, type Compute } from './compute.ts';
import { resolveOptions, type ComputeOptions, type ResolvedOptions } from './compute-options.ts';
import type { DeviceKind } from './compute-protocol.ts';
import { deviceLabel } from './device-label.ts';
import { candidates, chooseFastest, type Probe } from './device-ladder.ts';

type Refused = DeviceFacts['refused'];

interface Probed {
  readonly probes: readonly Probe<ComputeProcess>[];
  readonly refused: Refused;
}

/**
 * Opens the requested device, or for 'auto' the fastest that gives right answers. Each candidate is tried in a process of its own, which
 * may crash or hang without harm. Rejects with DEVICE_UNAVAILABLE when no candidate passes.
 */
export async function startCompute(options: ComputeOptions): Promise<Compute> {
  const resolved = resolveOptions(options);
  const { probes, refused } = await probeAll(options, resolved);
  const { chosen, slower } = chooseFastest(probes);
  if (!chosen) throw unavailable(options.device, refused);
  await Promise.all(probes.filter((probe) => probe !== chosen).map(({ process }) => process.stop(OPEN_LIMIT_MS)));
  const { kind, process, opened } = chosen;
  const facts: DeviceFacts = {
    kind,
    label: [await deviceLabel(kind), opened.note].filter(Boolean).join('; '),
    threads: resolved.threads,
    memoryBytes: resolved.memoryBytes,
    gflops: opened.gflops,
    refused: [...refused, ...slower],
  };
  const reopen = { ...resolved.openRequest, kind, served: opened.served };
  return new DeviceCompute({ process, reopen, facts, logger: options.logger });
}

/** One after the other: in parallel they would disturb each other's measurement. */
async function probeAll(options: ComputeOptions, resolved: ResolvedOptions): Promise<Probed> {
  const probes: Probe<ComputeProcess>[] = [];
  const refused: Refused = [];
  const machine = { platform: process.platform, arch: process.arch, hasTfjs: isTfjsInstalled() };
  for (const kind of candidates(options.device, machine)) {
    const outcome = await tryDevice(kind, options, resolved);
    if (typeof outcome === 'string') refused.push({ ep: kind, reason: outcome });
    else probes.push(outcome);
  }
  return { probes, refused };
}

/** The open process, or the reason why the device was refused. */
async function tryDevice(
  kind: DeviceKind,
  { logger }: ComputeOptions,
  { openRequest }: ResolvedOptions,
): Promise<Probe<ComputeProcess> | string> {
  const process = new ComputeProcess(logger);
  try {
    return { kind, process, opened: await process.open({ ...openRequest, kind, served: null }, OPEN_LIMIT_MS) };
  } catch (error) {
    process.kill('refused');
    await process.exited;
    const reason = isMusterError(error) ? error.why : String(error);
    logger.debug({ device: kind, reason }, 'device refused');
    return reason;
  }
}

function unavailable(device: ComputeOptions['device'], refused: Refused): MusterError {
  const why = refused.map(({ ep, reason }) => `${ep}: ${reason}`).join('; ');
  const fix = device === 'auto' || device === 'cpu' ? 'npm rebuild onnxruntime-node' : '--device auto';
  const what = device === 'auto' ? 'no compute device can be used' : `the device '${device}' cannot be used`;
  return new MusterError('DEVICE_UNAVAILABLE', what, { why, fix });
}
