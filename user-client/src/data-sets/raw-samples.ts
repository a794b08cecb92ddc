import type { Numbers } from '@muster/shared';

/** Samples as a file holds them, of one part of a data set. */
export interface RawSamples {
  /** For texts: the file, and the array in it. */
  readonly name: string;
  readonly samples: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  readonly features: Numbers;
  readonly targets: Numbers;
  /** Targets of one sample. */
  readonly targetWidth: number;
  /** Are the targets of a type that only has whole numbers, or all of them whole where the file has no types? */
  readonly wholeTargets: boolean;
}

export interface RawDataSet {
  readonly train: RawSamples;
  /** Undefined: to be held out of `train`. */
  readonly test?: RawSamples;
}
