import type { SampleLayout, Samples } from '@muster/shared';

/** Samples by number. Ranges are read one at a time, in any order. */
export interface SampleSet {
  readonly samples: number;
  /** The samples [from, to), in the element types of the layout. */
  read(from: number, to: number): Samples | Promise<Samples>;
}

/** What a network is trained on and tested with. `openDataSet` makes it from files; a program may supply its own. */
export interface TrainingData {
  readonly layout: SampleLayout;
  readonly train: SampleSet;
  /** May be empty: then there is no test accuracy. */
  readonly test: SampleSet;
}
