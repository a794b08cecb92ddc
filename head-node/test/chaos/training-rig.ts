/** Training runs of real processes, and what is asked of them while the cluster is disturbed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, type TaskStatus, type TrainingReport } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { FaultRig, Submitted } from './fault-rig.ts';

/** Of 1,279 samples to train with, 20 steps make an epoch. */
export const STEPS_OF_EPOCH = 20;
const DATA = ['--data', 'synthetic:1420', '--batch', '64', '--seed', '3'];

/** What `--json` prints of a run, as far as tests look at it. */
export interface TrainingOutcome {
  readonly state: string;
  readonly steps: number;
  readonly loss: number;
  readonly audited: number;
  readonly disputed: number;
  readonly weightsSha256: string;
  readonly nodes: readonly { readonly name: string; readonly shards: number }[];
}

/** Starts `user-client` with a run and resolves when the head has it. */
export function startTraining(
  rig: FaultRig,
  { nodes, epochs, model = 'mlp' }: { readonly nodes: number; readonly epochs: number; readonly model?: string },
  ...more: readonly string[]
): Promise<Submitted> {
  const shape = ['--task', 'train', '--model', model, '--nodes', String(nodes), '--epochs', String(epochs)];
  return rig.submit(...shape, ...DATA, ...more);
}

/** Resolves as soon as this many steps are done. Fails when the run is over: then the fault would not hit it. */
export async function reachedStep(rig: FaultRig, { task }: Submitted, step: number): Promise<TrainingReport> {
  const seen = await waitUntil(async () => [await rig.observer.task(task)].find((status) => isAt(status, step)), {
    what: `step ${step}`,
    timeoutMs: 60_000,
  });
  if (seen.state !== 'running') throw new Error(`the run was over before the fault: ${JSON.stringify(seen.error)}`);
  return seen.training!;
}

const isAt = ({ state, training }: TaskStatus, step: number): boolean =>
  state === 'done' || state === 'failed' || (training?.step ?? 0) >= step;

/** The client ends by itself, and well. */
export async function trained({ client }: Submitted): Promise<TrainingOutcome> {
  const { code, stdout, stderr } = await client.ended();
  if (code !== 0) throw new Error(`the client ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as TrainingOutcome;
}

/** The process beside this head that makes the steps. Needs /proc. */
export function trainerOf(rig: FaultRig): number {
  const { pid } = rig.cluster.cluster.head.process;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
  const trainer = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('train-main'));
  if (trainer === undefined) throw new Error('the head has no trainer');
  return trainer;
}

/** Does something between two steps: the trainer is halted meanwhile, and nodes wait for the next step. Needs /proc. */
export async function betweenSteps(rig: FaultRig, act: () => Promise<unknown>): Promise<void> {
  const trainer = trainerOf(rig);
  process.kill(trainer, 'SIGSTOP');
  await act().finally(() => process.kill(trainer, 'SIGCONT'));
}

/** The step of the run's checkpoint on the disk of the head. */
export function checkpointStepOf(rig: FaultRig, { task }: Submitted): number {
  const path = join(rig.cluster.cluster.directory, 'head', 'training', task, 'checkpoint.safetensors');
  return Number(readSafetensors(readFileSync(path), path).metadata['step']);
}

/** Names of files in a folder of the head, at any depth. */
export function filesOfHead(rig: FaultRig, folder: string): string[] {
  const path = join(rig.cluster.cluster.directory, 'head', folder);
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
