import type { DeviceFacts } from '@muster/shared';
import type { DeviceChoice, DeviceKind, Opened } from './compute-protocol.ts';

export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Is the optional package installed? */
  readonly hasTfjs: boolean;
}

/**
 * Devices to try, best first. onnxruntime-node has WebGPU on three platforms (D3D12, Metal, Vulkan), CUDA only on Linux x64 and
 * DirectML only on Windows; CoreML wants fixed shapes, so it is used only when asked for.
 */
export function candidates(choice: DeviceChoice, { platform, arch, hasTfjs }: Machine): readonly DeviceKind[] {
  if (choice !== 'auto') return [choice];
  return [...runtimeDevices(platform, arch), ...(hasTfjs ? (['tfjs'] as const) : []), 'cpu'];
}

function runtimeDevices(platform: string, arch: string): readonly DeviceKind[] {
  if (platform === 'win32') return ['dml', 'webgpu'];
  if (platform === 'darwin') return ['webgpu'];
  return platform === 'linux' && arch === 'x64' ? ['cuda', 'webgpu'] : [];
}

export interface Probe<Process> {
  readonly kind: DeviceKind;
  readonly process: Process;
  readonly opened: Opened;
}

/**
 * Picks the fastest in float32 and says why not the others: software WebGPU drivers pass every test but are 100 times slower than the
 * CPU.
 */
export function chooseFastest<P>(probes: readonly Probe<P>[]): {
  readonly chosen: Probe<P> | undefined;
  readonly slower: DeviceFacts['refused'];
} {
  const chosen = probes.toSorted((x, y) => y.opened.gflops.float32 - x.opened.gflops.float32)[0];
  const slower = probes
    .filter((probe) => probe !== chosen)
    .map(({ kind, opened }) => ({ ep: kind, reason: `slower than ${chosen?.kind}: ${rates(opened, chosen?.opened)}` }));
  return { chosen, slower };
}

const rates = (...of: readonly (Opened | undefined)[]): string =>
  `${of.map((opened) => Number((opened?.gflops.float32 ?? 0).toPrecision(3))).join(' vs ')} GFLOP/s`;
