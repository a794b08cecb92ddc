import { describe, expect, test } from '@jest/globals';
import {
  checkpointTensors,
  createOptimizer,
  OuterOptimizer,
  parseCheckpoint,
  parseTrainingOptions,
  type Checkpoint,
  type Safetensors,
  type StoredTensor,
} from '@muster/shared';
import { gradientOf, refusal } from './arbitrary-gradients.ts';

const layout = [
  { name: 'dense.weight', shape: [3, 4], offset: 0 },
  { name: 'dense.bias', shape: [4], offset: 12 },
  { name: 'scale', shape: [], offset: 16 },
];
const PARAMETERS = 17;
const model = '{"layers":["dense"]}';

function checkpointOf(given: object = { optimizer: 'adam', seed: 11, localSteps: 4 }): Checkpoint {
  const options = parseTrainingOptions(given);
  const optimizer = createOptimizer(options, PARAMETERS);
  const outer = new OuterOptimizer(options, PARAMETERS);
  const weights = gradientOf(PARAMETERS, 1);
  optimizer.step(weights, gradientOf(PARAMETERS, 2), 0.1);
  outer.step(weights, gradientOf(PARAMETERS, 3));
  const place = { step: 1234, epoch: 3, cursor: 5120, versions: { muster: '0.1.0', node: '22.1.0' } };
  const data = { samples: 60_000, digest: 'ab12' };
  return { weights, optimizer: optimizer.state(), outer: outer.state(), options, data, model, ...place };
}

/** As it comes back from a file: other bytes, at any alignment. */
function reread({ tensors, metadata }: Safetensors): Safetensors {
  const moved = [...tensors].map(([name, { dtype, shape, bytes }]): [string, StoredTensor] => {
    const copy = new Uint8Array(bytes.length + 1).subarray(1);
    copy.set(bytes);
    return [name, { dtype, shape: [...shape], bytes: copy }];
  });
  return { tensors: new Map(moved), metadata: { ...metadata } };
}

const stored = (): { tensors: Map<string, StoredTensor>; metadata: Record<string, string> } => {
  const { tensors, metadata } = reread(checkpointTensors(checkpointOf(), layout));
  return { tensors: new Map(tensors), metadata: { ...metadata } };
};

describe('a checkpoint', () => {
  test.each([
    [{ optimizer: 'sgd' }],
    [{ optimizer: 'nesterov', compression: 'topk:1%' }],
    [{ optimizer: 'adamw', schedule: 'step' }],
  ])('of %j comes back whole', (given) => {
    const checkpoint = { ...checkpointOf(given), data: given.optimizer === 'sgd' ? null : checkpointOf().data };
    expect(parseCheckpoint(reread(checkpointTensors(checkpoint, layout)), { model, layout })).toEqual(checkpoint);
  });

  test('of a model with one parameter comes back, steps and all', () => {
    const one = [{ name: 'w', shape: [1], offset: 0 }];
    const optimizer = createOptimizer(parseTrainingOptions({ optimizer: 'adam' }), 1);
    const checkpoint = { ...checkpointOf(), weights: Float32Array.of(2), optimizer: optimizer.state(), outer: {} };
    expect(parseCheckpoint(reread(checkpointTensors(checkpoint, one)), { model, layout: one })).toEqual(checkpoint);
  });

  test('names its tensors in a fixed order, weights as any reader expects them', () => {
    const { tensors, metadata } = checkpointTensors(checkpointOf(), layout);
    expect([...tensors].map(([name, { shape }]) => `${name} ${shape.join('x')}`)).toEqual([
      'dense.weight 3x4',
      'dense.bias 4',
      'scale ',
      'muster.optimizer.first.dense.weight 3x4',
      'muster.optimizer.first.dense.bias 4',
      'muster.optimizer.first.scale ',
      'muster.optimizer.second.dense.weight 3x4',
      'muster.optimizer.second.dense.bias 4',
      'muster.optimizer.second.scale ',
      'muster.optimizer.steps 1',
      'muster.outer.velocity.dense.weight 3x4',
      'muster.outer.velocity.dense.bias 4',
      'muster.outer.velocity.scale ',
    ]);
    expect(metadata).toMatchObject({
      format: 'muster-checkpoint 1',
      step: '1234',
      epoch: '3',
      cursor: '5120',
      seed: '11',
    });
    expect(metadata['model']).toBe(model);
  });

  test('of another model is refused, with the first difference', () => {
    const wider = [{ name: 'dense.weight', shape: [3, 5], offset: 0 }];
    const error = refusal(() => parseCheckpoint(stored(), { model: '{}', layout: wider }));
    expect([error.code, error.message, error.why]).toEqual([
      'CHECKPOINT_MISMATCH',
      'the checkpoint is of another model',
      'dense.weight is [3, 4], in the model it is [3, 5]',
    ]);
    expect(refusal(() => parseCheckpoint(stored(), { model: '{}', layout })).why).toContain(
      'its description is another',
    );
  });

  test('that lacks a tensor, or has one too many, is refused', () => {
    const lacking = stored();
    lacking.tensors.delete('muster.optimizer.second.dense.bias');
    const more = stored();
    more.tensors.set('dense2.bias', more.tensors.get('dense.bias')!);
    const errors = [lacking, more].map((given) => refusal(() => parseCheckpoint(given, { model, layout })));
    expect(errors.map(({ code, why }) => [code, why])).toEqual([
      ['CHECKPOINT_MISMATCH', 'muster.optimizer.second.dense.bias is missing'],
      ['CHECKPOINT_MISMATCH', 'the model has no tensor dense2.bias'],
    ]);
  });

  test('of another format version is refused', () => {
    const given = stored();
    given.metadata['format'] = 'muster-checkpoint 2';
    const error = refusal(() => parseCheckpoint(given, { model, layout }));
    expect([error.code, error.why]).toEqual(['CHECKPOINT_MISMATCH', 'it has version 2, this program reads version 1']);
  });

  test.each([
    ['format', 'pt', 'format pt'],
    ['step', '-1', 'step'],
    ['cursor', '1e3', 'cursor'],
    ['options', '{', 'options: not JSON'],
    ['versions', '[1]', 'versions'],
    ['seed', '12', 'seed is 12'],
  ])('with %s = %s is none', (name, value, why) => {
    const given = stored();
    given.metadata[name] = value;
    const error = refusal(() => parseCheckpoint(given, { model, layout }));
    expect(error.code).toBe('BAD_DATA');
    expect(error.why).toContain(why);
  });

  test('without metadata, with another dtype or too few bytes is none', () => {
    expect(refusal(() => parseCheckpoint({ tensors: new Map(), metadata: {} }, { model, layout })).code).toBe(
      'BAD_DATA',
    );
    for (const change of [{ dtype: 'BF16' as const }, { bytes: new Uint8Array(12) }]) {
      const given = stored();
      given.tensors.set('dense.bias', { ...given.tensors.get('dense.bias')!, ...change });
      expect(refusal(() => parseCheckpoint(given, { model, layout })).code).toBe('BAD_DATA');
    }
  });

  test.each([
    [[{ name: 'w', shape: [16], offset: 0 }], 'it ends at 16'],
    [[{ name: 'w', shape: [17], offset: 1 }], 'w starts at 1'],
    [[{ name: 'muster.w', shape: [17], offset: 0 }], "'muster.w' cannot be"],
    [
      [
        { name: 'w', shape: [16], offset: 0 },
        { name: 'w', shape: [1], offset: 16 },
      ],
      'the same name',
    ],
  ])('is not written with the layout %j', (wrong, why) => {
    const error = refusal(() => checkpointTensors(checkpointOf(), wrong));
    expect(error.code).toBe('BAD_DATA');
    expect(error.why).toContain(why);
  });
});
