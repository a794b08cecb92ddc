import { learningRateAt, type TrainRound, type TrainSpec } from '@muster/shared';

/** Where a run is: everything before it is done. */
export interface RunPosition {
  /** From 0. */
  readonly epoch: number;
  /** Samples of the epoch's order that are used up; all of them while its evaluation is due. */
  readonly cursor: number;
}

/** Rounds in their order. A position determines all that follow it: a run that is resumed finds its place by it. */
export class RunSchedule {
  readonly #spec: TrainSpec;

  constructor(spec: TrainSpec) {
    this.#spec = spec;
  }

  /** Optimizer steps of the whole run. */
  get steps(): number {
    return this.#spec.options.epochs * this.stepsOfEpoch;
  }

  /** The last one takes the samples that are left. */
  get stepsOfEpoch(): number {
    return Math.ceil(this.#spec.trainSamples / this.#spec.options.batch);
  }

  stepAt({ epoch, cursor }: RunPosition): number {
    return epoch * this.stepsOfEpoch + Math.ceil(cursor / this.#spec.options.batch);
  }

  /** Optimizer steps of a round with gradients: more than one where nodes step alone. */
  stepsIn({ from, to }: TrainRound): number {
    return Math.ceil((to - from) / this.#spec.options.batch);
  }

  /** The round that begins here, null at the end. */
  roundAt(position: RunPosition): TrainRound | null {
    const { options, trainSamples, testSamples } = this.#spec;
    const { epoch, cursor } = position;
    if (epoch >= options.epochs) return null;
    const step = this.stepAt(position);
    const common = { step, epoch, learningRate: learningRateAt(options, step, this.steps) };
    if (cursor >= trainSamples) return { ...common, kind: 'evaluate', from: 0, to: testSamples };
    const to = Math.min(trainSamples, cursor + options.batch * options.localSteps);
    return { ...common, kind: 'gradient', from: cursor, to };
  }

  /** The position after a round. */
  after({ kind, epoch, to }: TrainRound): RunPosition {
    const { trainSamples, testSamples } = this.#spec;
    const epochIsOver = kind === 'evaluate' || (to === trainSamples && testSamples === 0);
    return epochIsOver ? { epoch: epoch + 1, cursor: 0 } : { epoch, cursor: to };
  }

  /** Adapts the position of a checkpoint, which may be of a run with other options or more samples. */
  placed({ epoch, cursor }: RunPosition): RunPosition {
    const { trainSamples, testSamples } = this.#spec;
    if (cursor < trainSamples) return { epoch, cursor };
    return testSamples === 0 ? { epoch: epoch + 1, cursor: 0 } : { epoch, cursor: trainSamples };
  }
}
