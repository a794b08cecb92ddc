import { packBlock, sampleBlocks, sampleBytes, samplesOfBlock, type BlockId, type SampleLayout } from '@muster/shared';
import type { BlockSource } from '../operands/block-source.ts';
import { PackedBlock } from '../operands/packed-block.ts';
import type { SampleSet } from './training-data.ts';

/** The training or the test set of a run, cut into blocks as the layout says. */
export class SampleBlocks implements BlockSource {
  readonly operand: 'train' | 'test';
  readonly blocks: number;
  readonly #layout: SampleLayout;
  readonly #set: SampleSet;

  constructor(operand: 'train' | 'test', layout: SampleLayout, set: SampleSet) {
    this.operand = operand;
    this.#layout = layout;
    this.#set = set;
    this.blocks = sampleBlocks(layout, set.samples);
  }

  blockBytes(block: number): number {
    const [from, to] = this.#span(block);
    return (to - from) * sampleBytes(this.#layout);
  }

  known(): BlockId | undefined {
    return undefined;
  }

  async read(block: number): Promise<PackedBlock> {
    const [from, to] = this.#span(block);
    const samples = await this.#set.read(from, to);
    return new PackedBlock(packBlock(this.#layout, samples, [0, to - from]) as Uint8Array<ArrayBuffer>, null);
  }

  #span(block: number): readonly [number, number] {
    return samplesOfBlock(this.#layout, this.#set.samples, block);
  }
}
