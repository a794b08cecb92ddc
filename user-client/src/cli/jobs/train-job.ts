import {
  isTaskId,
  limits,
  outputCount,
  type Model,
  type Preset,
  type TaskStatus,
  type TrainSpec,
} from '@muster/shared';
import { existsSync } from 'node:fs';
import type { ClusterClient } from '../../cluster-client.ts';
import type { DataSetOptions } from '../../data-sets/data-set.ts';
import { openDataSet } from '../../data-sets/open-data-set.ts';
import { readWholeFile } from '../../read-whole-file.ts';
import { readCheckpoint, type CheckpointFile } from '../../training/checkpoint-file.ts';
import { trainingSubmission, type TrainingRequest } from '../../training/train-request.ts';
import type { TrainRun } from '../options/train-run.ts';
import { planLines } from '../training-plan.ts';
import { expectApart } from './apart.ts';
import type { Job, JobStart } from './job.ts';
import { readModel } from './model-file.ts';
import { ModelOutputs } from './model-outputs.ts';

/** Reads and compares samples, model and checkpoint and creates the output files. What needs the head is left to `start`. */
export async function trainJob(run: TrainRun): Promise<Job> {
  expectApart({ '--out': run.out, '--onnx': run.onnx }, { '--model': run.model, '--data': run.data });
  const model = run.model === undefined ? undefined : readModel(run.model);
  const { resume } = run;
  // Only the head knows the model and options of one of its tasks.
  const waits = resume !== undefined && isTaskId(resume) && !existsSync(resume);
  const file = resume === undefined || waits ? undefined : readResumed(resume);
  const ready = waits ? null : await openRun(run, model, file);
  const outputs = new ModelOutputs(run);
  return {
    start: async (start) =>
      startRun(ready ?? (await openRun(run, model, await start.client.readCheckpoint(resume ?? ''))), start),
    finish: (client, status) => finish(outputs, client, status),
    close: () => outputs.close(),
  };
}

const readResumed = (path: string): CheckpointFile =>
  readCheckpoint(readWholeFile(path, limits.checkpointBytesMax.value), path);

interface OpenRun {
  readonly request: TrainingRequest;
  readonly spec: TrainSpec;
  /** One line about the samples. */
  readonly describe: string;
}

async function openRun(
  run: TrainRun,
  model: Preset | Model | undefined,
  checkpoint: CheckpointFile | undefined,
): Promise<OpenRun> {
  const description = typeof model === 'object' ? model : checkpoint?.model;
  const data = await openDataSet(run.data, { seed: seedOf(run, checkpoint), ...targetsOf(run, description) });
  const request = { model, data, options: run.options, checkpoint };
  return { request, spec: trainingSubmission(request).spec, describe: data.describe };
}

/** The seed decides which samples are held out for testing, so a resumed run must use the same. */
const seedOf = ({ options }: TrainRun, checkpoint: CheckpointFile | undefined): number =>
  typeof options['seed'] === 'number' ? options['seed'] : (checkpoint?.checkpoint.options.seed ?? 0);

/** Taken from the model, so that a label out of range is reported with its sample. */
function targetsOf({ classes }: TrainRun, model: Model | undefined): Pick<DataSetOptions, 'targets' | 'classes'> {
  if (model?.loss === 'meanSquaredError') return { targets: 'values' };
  const count = classes ?? (model === undefined ? undefined : outputCount(model));
  return count === undefined ? {} : { classes: count };
}

async function startRun(
  { request, spec, describe }: OpenRun,
  { client, request: terms, terminal }: JobStart,
): ReturnType<Job['start']> {
  terminal.note(`data: ${describe}`);
  planLines(spec, await client.nodes(), terms.nodes).forEach(terminal.note);
  const { task } = await client.train({ ...request, ...terms });
  terminal.note(`task ${task.taskId}   if it is interrupted, its latest checkpoint stays: --resume ${task.taskId}`);
  return task;
}

async function finish(outputs: ModelOutputs, client: ClusterClient, status: TaskStatus): ReturnType<Job['finish']> {
  if (outputs.wanted) outputs.write(await client.readCheckpoint(status.taskId), status.training);
  return { out: outputs.out, onnx: outputs.onnx };
}
