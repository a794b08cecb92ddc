import { elementsOf } from '@muster/shared';
import { Tensor } from 'onnxruntime-node';

/** Element types that blocks hold. */
export type TensorType = 'float32' | 'float64' | 'int32' | 'int8' | 'uint8';

/** A tensor over these bytes, which are not copied. */
export function onnxTensor(type: TensorType, bytes: Uint8Array<ArrayBuffer>, dims: readonly number[]): Tensor {
  switch (type) {
    case 'float32':
      return new Tensor(type, elementsOf(type, bytes), dims);
    case 'float64':
      return new Tensor(type, elementsOf(type, bytes), dims);
    case 'int8':
      return new Tensor(type, elementsOf(type, bytes), dims);
    case 'int32':
      return new Tensor(type, elementsOf(type, bytes), dims);
    case 'uint8':
      return new Tensor(type, bytes, dims);
    default:
      return type satisfies never;
  }
}
