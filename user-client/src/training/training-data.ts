import type { SampleLayout, Samples } from '@muster/shared';

/** Samples by number; blocks are read one at a time and in no fixed order. */
export interface SampleSet {
  readonly samples: number;
  /** The samples [from, to), of the types of the layout. */
  read(from: number, to: number): Samples | Promise<Samples>;
}

/** What a network is trained on and tested with. `openDataSet` makes it of files; a program may bring its own. */
export interface TrainingData {
  readonly layout: SampleLayout;
  readonly train: SampleSet;
  /** May have no samples: then there is no test accuracy. */
  readonly test: SampleSet;
}
