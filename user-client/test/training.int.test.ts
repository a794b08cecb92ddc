import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { initialWeights, parseModel, viewBlock, type BlockId } from '@muster/shared';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeHead } from './support/fake-head.ts';
import { Stage, terms } from './support/stage.ts';
import { checkpointOf, digits, tinyModel, tinySpec, trainingReport } from './support/training.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.clear());

const boundBytes = (head: FakeHead, block: string): Uint8Array => {
  const [task] = head.memory.tasks.values();
  return head.memory.blocks.get(task!.bound.get(block) as BlockId)!;
};

describe.each(['wire', 'shared'] as const)('a training run over %s', (way) => {
  const start = (): Promise<FakeHead> => (way === 'wire' ? stage.startHead() : stage.startSharingHead());

  test('brings all samples, block by block, and its weights come back by name', async () => {
    const head = await start();
    const client = await stage.connect(head);
    const data = digits(250, 50);
    const run = await client.train({ model: tinyModel, data, options: { epochs: 2, batch: 50, seed: 7 }, ...terms });
    const status = await run.wait();
    expect(status.training?.step).toBe(trainingReport().step);
    expect(head.count('put') > 0).toBe(way === 'wire');
    const [submitted] = head.memory.tasks.values();
    expect(submitted!.spec).toMatchObject({ trainSamples: 250, testSamples: 50, checkpointBytes: 0 });
    const second = viewBlock(data.layout, boundBytes(head, 'train2'));
    expect(second.samples).toBe(50);
    const last = await data.train.read(200, 250);
    expect(second.features).toEqual(last.features);
    expect(Array.from(second.targets)).toEqual(Array.from(last.targets));
    const weights = await run.model();
    expect([...weights.keys()]).toEqual(['layers.1.weight', 'layers.1.bias']);
    expect(weights.get('layers.1.weight')).toEqual({
      shape: [784, 10],
      values: initialWeights(parseModel(tinyModel), 7).subarray(0, 7840),
    });
  });

  test('goes on from a checkpoint: its model, its options but for what is said, its bytes', async () => {
    const head = await start();
    const client = await stage.connect(head);
    const checkpoint = checkpointOf(tinySpec({ epochs: 2, batch: 25, optimizer: 'adam' }));
    const run = await client.train({ data: digits(250, 50), options: { epochs: 3 }, checkpoint, ...terms });
    await run.wait();
    const [submitted] = head.memory.tasks.values();
    expect(submitted!.spec).toMatchObject({
      model: { name: 'tiny' },
      options: { epochs: 3, batch: 25, optimizer: 'adam' },
      checkpointBytes: checkpoint.length,
    });
    expect(Buffer.compare(boundBytes(head, 'checkpoint0'), checkpoint)).toBe(0);
    const path = join(stage.directory, 'copy.safetensors');
    await run.checkpoint(path);
    expect(Buffer.compare(readFileSync(path), checkpoint)).toBe(0);
    expect(readdirSync(stage.directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('the checkpoint of a task', () => {
  test('of several chunks arrives whole', async () => {
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const model = {
      ...tinyModel,
      layers: [{ type: 'flatten' }, { type: 'dense', units: 700 }, { type: 'dense', units: 10 }],
    };
    const run = await client.train({ model, data: digits(40, 0), options: { batch: 20 }, ...terms });
    await run.wait();
    const { checkpoint } = await client.readCheckpoint(run.taskId);
    expect(head.count('fetchResult')).toBeGreaterThan(2);
    expect(checkpoint.weights).toEqual(initialWeights(parseModel(model), 0));
  });

  test('of another type of task is none', async () => {
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const echo = await client.echo({ count: 1, ...terms });
    await expect(client.readCheckpoint(echo.taskId)).rejects.toMatchObject({ code: 'USAGE', why: /'echo'/ });
  });
});

describe('what is refused before the head hears of it', () => {
  const data = digits(40, 10);
  const other = checkpointOf(tinySpec());
  const lasting = {
    ...tinyModel,
    layers: [{ type: 'flatten' }, { type: 'dense', units: 9 }, { type: 'dense', units: 10 }],
  };
  const refused = [
    ['no model', {}, 'USAGE', /needs a model/],
    ['an unknown layer', { model: { ...tinyModel, layers: [{ type: 'densee' }] } }, 'BAD_MODEL', /./],
    [
      'shapes that do not fit',
      { model: { ...tinyModel, layers: [{ type: 'dense', units: 10 }] } },
      'BAD_MODEL',
      /one dimension/,
    ],
    ['another input', { model: { ...tinyModel, input: [1, 20, 20] } }, 'SHAPE_MISMATCH', /\[1, 20, 20\]/],
    ['a batch smaller than the nodes', { model: tinyModel, options: { batch: 2 }, nodes: 3 }, 'USAGE', /batch is 2/],
    ['a batch larger than the set', { model: tinyModel, options: { batch: 41 } }, 'USAGE', /batch is 41/],
    ['a checkpoint of another model', { model: lasting, checkpoint: other }, 'CHECKPOINT_MISMATCH', /layers\.1/],
    ['what is no checkpoint', { checkpoint: new Uint8Array(7) }, 'BAD_DATA', /7 bytes/],
    ['another seed', { checkpoint: other, options: { epochs: 3, batch: 20, seed: 8 } }, 'USAGE', /has 0; 8 would/],
    [
      'another optimizer',
      { checkpoint: other, options: { epochs: 3, batch: 20, optimizer: 'adam' } },
      'USAGE',
      /made with --optimizer momentum and --local-steps 1, the run shall have --optimizer adam/,
    ],
    [
      'nodes that step alone, after a run in which they did not',
      { checkpoint: other, options: { epochs: 3, batch: 20, localSteps: 4 } },
      'USAGE',
      /--local-steps 4/,
    ],
    [
      'other samples',
      { checkpoint: checkpointOf(tinySpec(), { samples: 39 }), options: { epochs: 3, batch: 20 } },
      'CHECKPOINT_MISMATCH',
      /made with 39, there are 40/,
    ],
    ['the end of a run', { checkpoint: other, options: { epochs: 1, batch: 20 } }, 'USAGE', /step 10/],
  ] as const;
  test.each(refused.map(([name, ...rest]) => ({ name, rest })))('$name', async ({ rest: [request, code, why] }) => {
    const head = await stage.startHead();
    const client = await stage.connect(head);
    const training = client.train({ data, ...terms, ...request });
    await expect(training).rejects.toMatchObject({ code, why: expect.stringMatching(why) });
    expect(head.count('submit')).toBe(0);
  });
});
