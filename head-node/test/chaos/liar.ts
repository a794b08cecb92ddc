import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { LocalProgram } from '@muster/shared/testkit';
import type { FaultRig } from './fault-rig.ts';

/** Resolves when a provider has joined that tampers with what it returns, in one of the ways of provider-node/src/compute/tamper.ts. */
export async function startLiar(rig: FaultRig, tamper: string, name = 'liar'): Promise<LocalProgram> {
  const script = join(import.meta.dirname, 'tampering-provider.mjs');
  const args = [script, name, rig.cluster.file(name), String(rig.cluster.cluster.portBase), tamper];
  const env = { ...process.env, TMPDIR: rig.cluster.file('t') };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const liar = new LocalProgram(name, child, () => undefined);
  await liar.said('joined ');
  return liar;
}
