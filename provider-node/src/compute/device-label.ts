import { cpus } from 'node:os';
import { graphics } from 'systeminformation';
import type { DeviceKind } from './compute-protocol.ts';

/** A name for people. The runtime does not tell which adapter it uses, so the first GPU that the system lists is named. */
export async function deviceLabel(kind: DeviceKind): Promise<string> {
  if (kind === 'cpu') return cpus()[0]?.model.trim() || process.arch;
  const { controllers } = await graphics().catch(() => ({ controllers: [] }));
  const model = controllers.map((controller) => controller.model).find(Boolean);
  return model ? `${model} (${kind})` : kind;
}
