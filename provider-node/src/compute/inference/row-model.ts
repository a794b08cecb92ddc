import { MusterError, type InferPort, type InferWork } from '@muster/shared';
import { InferenceSession, type Tensor } from 'onnxruntime-node';
import type { SessionOptions } from '../backends/onnx-options.ts';
import { onnxTensor } from '../backends/onnx-tensor.ts';

export type Ports = Pick<InferWork, 'input' | 'output'>;

export interface Rows {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

/** An ONNX model applied to rows: the first dimension of its input and of its output is the batch. */
export class RowModel {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async open(path: string, options: SessionOptions): Promise<RowModel> {
    return new RowModel(await InferenceSession.create(path, options));
  }

  /** The model's fixed batch size, or null if it takes any. Throws COMPUTE_FAILED for a model without that input. */
  batchOf({ name }: InferPort): number | null {
    const inputs = this.#session.inputMetadata;
    const input = inputs.find((candidate) => candidate.name === name);
    if (input?.isTensor !== true) throw misfit(`it has no input ${name}, but ${namesOf(this.#session.inputNames)}`);
    const rows = input.shape[0];
    return typeof rows === 'number' && rows > 0 ? rows : null;
  }

  /** Bytes of `count` rows of the output. Rejects with COMPUTE_FAILED when the output has another type or shape. */
  async run({ input, output }: Ports, { bytes, count }: Rows): Promise<Uint8Array> {
    const answers = await this.#session.run({ [input.name]: onnxTensor(input.dtype, bytes, [count, ...input.shape]) }, [
      output.name,
    ]);
    return checked(answers[output.name], output, count);
  }

  release(): void {
    void this.#session.release();
  }
}

function checked(answer: Tensor | undefined, { name, shape, dtype }: InferPort, count: number): Uint8Array {
  if (!answer) throw misfit(`it has no output ${name}`);
  const [seen, wanted] = [textOf(answer.type, answer.dims), textOf(dtype, [count, ...shape])];
  if (seen !== wanted) throw misfit(`the output ${name} is ${seen}, not ${wanted}`);
  const { buffer, byteOffset, byteLength } = answer.data as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const textOf = (type: string, dims: readonly number[]): string => `${type} [${dims.join(', ')}]`;

const namesOf = (names: readonly string[]): string => names.join(', ') || 'none';

const misfit = (why: string): MusterError =>
  new MusterError('COMPUTE_FAILED', 'the model is not what the task says', { why });
