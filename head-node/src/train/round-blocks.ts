import { dirname, join } from 'node:path';
import {
  blockIdOf,
  bytesOf,
  MODEL_OPERAND,
  WEIGHTS_OPERAND,
  type Model,
  type RoundBlock,
  type TaskId,
} from '@muster/shared';
import { incomingBlockName, withDiskErrors, writeOverSpare } from '@muster/shared/io';
import type { MadeBlock } from './calls.ts';
import { modelText } from './run-checkpoint.ts';

/** Makes the files of the blocks that a round begins from, in the store's incoming folder. */
export class RoundBlocks {
  readonly #task: TaskId;
  readonly #incoming: string;
  #model: RoundBlock | null = null;
  #weights: RoundBlock | null = null;

  constructor(task: TaskId, incomingDirectory: string) {
    this.#task = task;
    this.#incoming = incomingDirectory;
  }

  /** What the round needs, in the order of the operands. */
  get all(): readonly RoundBlock[] {
    return [this.#model, this.#weights].filter((block) => block !== null);
  }

  makeModel(round: number, model: Model): MadeBlock {
    const made = this.#make(MODEL_OPERAND, round, new TextEncoder().encode(modelText(model)));
    this.#model = described(made);
    return made;
  }

  makeWeights(round: number, weights: Float32Array): MadeBlock {
    const made = this.#make(WEIGHTS_OPERAND, round, bytesOf(weights));
    this.#weights = described(made);
    return made;
  }

  #make(operand: string, round: number, bytes: Uint8Array): MadeBlock {
    const path = join(this.#incoming, incomingBlockName(this.#task, round, operand));
    withDiskErrors({ path, bytes: bytes.length }, () => writeOverSpare(dirname(this.#incoming), path, bytes));
    return { operand, id: blockIdOf(bytes), bytes: bytes.length, path };
  }
}

const described = ({ operand, id, bytes }: MadeBlock): RoundBlock => ({ operand, id, bytes });
