import { limits } from '@muster/shared';
import { inferenceSpec } from '../../inference/infer-request.ts';
import { NpyRowFile } from '../../inference/npy-row-file.ts';
import { NpyRowSink } from '../../inference/npy-row-sink.ts';
import { readWholeFile } from '../../read-whole-file.ts';
import type { InferRun } from '../options/infer-run.ts';
import { expectApart } from './apart.ts';
import type { Job } from './job.ts';

/** Reads the model, checks it against the rows and creates the result file, before anything is submitted. */
export function inferJob({ model: path, input: rowsPath, out, rowsPerBlock, outputShape }: InferRun): Job {
  expectApart({ '--out': out }, { '--model': path, '--input': rowsPath });
  const model = readWholeFile(path, limits.modelBytesMax.value);
  const input = NpyRowFile.open(rowsPath);
  try {
    const asked = { model, input, rowsPerBlock, outputShape };
    const spec = inferenceSpec(asked);
    const sink = out === undefined ? undefined : new NpyRowSink(out, spec.rows, spec.output);
    return {
      start: ({ client, request }) => client.infer({ ...asked, sink, ...request }),
      finish: () => Promise.resolve({ out }),
      close: () => {
        sink?.discard();
        input.close();
      },
    };
  } catch (error) {
    input.close();
    throw error;
  }
}
