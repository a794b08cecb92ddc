import { bytesOf, elementsOf, type Elements } from '@muster/shared';
import type * as TensorFlow from '@tensorflow/tfjs';
import type { Backend, Multiplier, Panel, ResidentPanel } from '../backend.ts';
import { convolutionCase } from '../known-answers.ts';
import type { Tfjs } from './load-tfjs.ts';

/** A resident B saves the copy to the device. */
const KEEP_AT_USE = 2;

/** float32 products only; the CPU backend takes the other types. */
export const tfjsBackend = (tf: Tfjs): Backend => ({
  kind: 'tfjs',
  dtypes: ['float32'],
  multipliers: (dtype) => (dtype === 'float32' ? [async () => new TfjsMultiplier(tf)] : []),
  check: async () => {
    await tf.ready();
    convolutionCase.expect(await convolve(tf));
  },
});

async function convolve(tf: Tfjs): Promise<Elements> {
  const { x, w, pad } = convolutionCase;
  const y = tf.tidy(() => {
    const image = tf.tensor(x.values, x.dims).transpose<TensorFlow.Tensor4D>([0, 2, 3, 1]);
    const kernel = tf.tensor(w.values, w.dims).transpose<TensorFlow.Tensor4D>([2, 3, 1, 0]);
    return tf.conv2d(image, kernel, 1, pad).transpose([0, 3, 1, 2]);
  });
  return take(y);
}

class TfjsMultiplier implements Multiplier {
  readonly dtype = 'float32';
  readonly keepAtUse = KEEP_AT_USE;
  readonly #tf: Tfjs;

  constructor(tf: Tfjs) {
    this.#tf = tf;
  }

  adopt(): void {
    // Nothing to convert: TensorFlow takes the bytes as they are.
  }

  multiply(a: Panel, b: Panel): Promise<Elements> {
    return take(this.#tf.tidy(() => this.#tf.matMul(this.#matrix(a), this.#matrix(b))));
  }

  async keep(b: Panel): Promise<ResidentPanel> {
    const resident = this.#matrix({ ...b, bytes: bytesOf(elementsOf('float32', b.bytes).slice()) });
    return {
      multiply: (a) => take(this.#tf.tidy(() => this.#tf.matMul(this.#matrix(a), resident))),
      release: () => resident.dispose(),
    };
  }

  #matrix({ bytes, rows, columns }: Panel): TensorFlow.Tensor2D {
    return this.#tf.tensor2d(elementsOf('float32', bytes), [rows, columns]);
  }
}

async function take(tensor: TensorFlow.Tensor): Promise<Elements> {
  const elements = await tensor.data<'float32'>();
  tensor.dispose();
  return elements;
}
