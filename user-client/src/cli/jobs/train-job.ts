import { isTaskId, limits, type TaskStatus } from '@muster/shared';
import { existsSync } from 'node:fs';
import type { ClusterClient } from '../../cluster-client.ts';
import { openDataSet } from '../../data-sets/open-data-set.ts';
import { readWholeFile } from '../../read-whole-file.ts';
import { readCheckpoint, type CheckpointFile } from '../../training/checkpoint-file.ts';
import { trainingSubmission, type TrainingRequest } from '../../training/train-request.ts';
import type { TrainRun } from '../options/train-run.ts';
import { planLines } from '../training-plan.ts';
import type { Job, JobStart } from './job.ts';
import { readModel } from './model-file.ts';
import { ModelOutputs } from './model-outputs.ts';

/** Samples, model and checkpoint are read and compared, and the files that the model goes to are made. */
export async function trainJob(run: TrainRun): Promise<Job> {
  const model = run.model === undefined ? undefined : readModel(run.model);
  const resumed = run.resume === undefined || !isFile(run.resume) ? undefined : resumeFile(run.resume);
  const data = await openDataSet(run.data, { seed: seedOf(run, resumed) });
  const request = { model, data, options: run.options, checkpoint: resumed };
  const task = run.resume !== undefined && resumed === undefined ? run.resume : null;
  // What a task on the head was trained with is only known there.
  if (task === null) trainingSubmission(request);
  const outputs = new ModelOutputs(run);
  return {
    start: async (start) => {
      start.terminal.note(`data: ${data.describe}`);
      return startRun(task === null ? request : { ...request, checkpoint: await start.client.readCheckpoint(task) }, start);
    },
    finish: (client, status) => finish(outputs, client, status),
    close: () => outputs.close(),
  };
}

/** The seed decides what is held out to test with: it must be the same when a run goes on. */
const seedOf = ({ options }: TrainRun, resumed: CheckpointFile | undefined): number =>
  typeof options['seed'] === 'number' ? options['seed'] : (resumed?.checkpoint.options.seed ?? 0);

async function startRun(request: TrainingRequest, { client, request: terms, terminal }: JobStart): ReturnType<Job['start']> {
  const { spec } = trainingSubmission(request);
  planLines(spec, await client.nodes(), terms.nodes).forEach(terminal.note);
  const { task } = await client.train({ ...request, ...terms });
  terminal.note(`task ${task.taskId}   if it is interrupted, its latest checkpoint stays: --resume ${task.taskId}`);
  return task;
}

async function finish(outputs: ModelOutputs, client: ClusterClient, status: TaskStatus): ReturnType<Job['finish']> {
  if (outputs.wanted) outputs.write(await client.readCheckpoint(status.taskId), status.training);
  return { out: outputs.out, onnx: outputs.onnx };
}

/** A file named like the id of a task is a file. */
function isFile(resume: string): boolean {
  return !isTaskId(resume) || existsSync(resume);
}

function resumeFile(path: string): CheckpointFile {
  return readCheckpoint(readWholeFile(path, limits.checkpointBytesMax.value), path);
}
