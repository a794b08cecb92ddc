import { describe, expect, test } from '@jest/globals';
import { array, assert, nat, property, tuple } from 'fast-check';
import {
  exportModel,
  initialWeights,
  isMusterError,
  limits,
  matrixProduct,
  presetModel,
  readOnnx,
  trainingStep,
  type OnnxSummary,
} from '@muster/shared';
import { encodeModel } from '../../src/onnx/writer.ts';
import { ProtobufWriter } from '../../src/onnx/protobuf-writer.ts';

const lenet = presetModel('lenet', { input: [1, 28, 28], classes: 10 });
const exported = exportModel(lenet, initialWeights(lenet, 1));

function written(write: (to: ProtobufWriter) => void): Uint8Array<ArrayBuffer> {
  const to = new ProtobufWriter();
  write(to);
  return to.finish();
}

/** Code and reason of the refusal, or what was read. */
function read(bytes: Uint8Array): string | OnnxSummary {
  try {
    return readOnnx(bytes);
  } catch (error) {
    if (isMusterError(error)) return `${error.code}: ${error.message}: ${error.why}`;
    throw error;
  }
}

/** A model whose graph is what `write` appends. */
const modelOf = (write: (to: ProtobufWriter) => void): Uint8Array<ArrayBuffer> =>
  written((to) => {
    to.nested(7, () => write(to));
    to.nested(8, () => to.whole(2, 17));
  });

/** Graphs in attributes of nodes, one in the other. */
function nestedGraphs(to: ProtobufWriter, levels: number): void {
  if (levels > 0) to.nested(1, () => to.nested(5, () => to.nested(6, () => nestedGraphs(to, levels - 1))));
}

describe('readOnnx', () => {
  test('tells inputs, outputs, opset and the number of nodes', () => {
    expect(readOnnx(exported)).toEqual({
      inputs: [{ name: 'X', type: 'float', dims: ['N', 1, 28, 28] }],
      outputs: [{ name: 'output', type: 'float', dims: ['N', 10] }],
      opset: 17,
      nodeCount: 13,
    });
    expect(readOnnx(trainingStep(lenet, { device: 'gpu' })).inputs.map(({ name }) => name)).toEqual([
      'weights',
      'X',
      'Y',
    ]);
  });

  test('leaves out inputs that have an initializer, and knows unknown dimensions', () => {
    const value = (to: ProtobufWriter, name: string, shape: () => void): void => {
      to.nested(11, () => {
        to.text(1, name);
        to.nested(2, () =>
          to.nested(1, () => {
            to.whole(1, 7);
            shape();
          }),
        );
      });
    };
    const bytes = modelOf((to) => {
      value(to, 'given', () => to.nested(2, () => to.nested(1, () => undefined)));
      value(to, 'rankless', () => undefined);
      value(to, 'constant', () => undefined);
      to.nested(5, () => to.text(8, 'constant'));
    });
    expect(readOnnx(bytes).inputs).toEqual([
      { name: 'given', type: 'int64', dims: ['?'] },
      { name: 'rankless', type: 'int64', dims: undefined },
    ]);
  });

  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(), 'it has no graph'],
    [
      'two graphs',
      written((to) => [7, 7].forEach((field) => to.nested(field, () => undefined))),
      'more than one graph',
    ],
    ['text', new TextEncoder().encode('{"layers":[]}'), 'BAD_MODEL'],
    ['a number where the graph should be', written((to) => to.whole(7, 3)), 'field 7 is not a message'],
    ['no opset', written((to) => to.nested(7, () => undefined)), 'it does not say which version'],
    [
      'a length beyond the file',
      Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1),
      '4294967295 bytes are announced',
    ],
    ['a length that has no end', new Uint8Array(20).fill(0xff), 'a number has more than ten bytes'],
    ['field 0', Uint8Array.of(0, 0), 'a field has the number 0'],
    ['groups', Uint8Array.of(0x0b, 0x0c), 'a field has the wire type 3'],
    ['a sequence as input', modelOf((to) => to.nested(11, () => to.text(1, 'list'))), 'list is not a tensor'],
    ['graphs within graphs', modelOf((to) => nestedGraphs(to, 12)), 'deeper than 32 levels'],
    ['an external B', matrixProduct({ a: 'float32', b: 'float32' }, { rows: 2, columns: 2 }), 'lies in another file'],
    [
      'an external tensor in a subgraph',
      modelOf((to) => to.nested(1, () => to.nested(5, () => to.nested(6, () => to.nested(5, () => to.whole(14, 1)))))),
      'lies in another file',
    ],
    [
      'inputs without end',
      encodeModel({
        name: '',
        nodes: [],
        initializers: [],
        outputs: [],
        inputs: Array.from({ length: limits.onnxValuesMax.value + 1 }, () => ({ name: 'a', type: 'int8', dims: [] })),
      }),
      'more than 1000 inputs',
    ],
    ['names that are no UTF-8', modelOf((to) => to.nested(11, () => to.bytes(1, Uint8Array.of(0xff)))), 'BAD_MODEL'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(read(bytes)).toEqual(expect.stringContaining(reason));
  });

  test('refuses or reads, and never fails otherwise, whatever is cut off or changed', () => {
    const small = encodeModel({
      name: 'small',
      nodes: [{ op: 'Relu', inputs: ['X'], outputs: ['Y'], ints: { pads: [1, 2] } }],
      initializers: [{ name: 'c', type: 'float32', dims: [1], raw: new Uint8Array(4) }],
      inputs: [{ name: 'X', type: 'float32', dims: ['N', 3] }],
      outputs: [{ name: 'Y', type: 'float32', dims: ['N', 3] }],
    });
    for (let length = 0; length < small.length; length++) {
      expect(read(small.subarray(0, length))).toEqual(expect.stringContaining('BAD_MODEL'));
    }
    const places = array(tuple(nat(small.length - 1), nat(255)), { minLength: 1, maxLength: 4 });
    assert(
      property(places, (changes) => {
        const changed = small.slice();
        for (const [at, value] of changes) changed[at] = value;
        const outcome = read(changed);
        expect(typeof outcome === 'string' ? outcome : outcome.opset).toEqual(
          typeof outcome === 'string' ? expect.stringContaining('BAD_MODEL') : expect.any(Number),
        );
      }),
      { numRuns: 2000 },
    );
  });
});
