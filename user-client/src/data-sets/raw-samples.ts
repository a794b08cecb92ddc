import type { Numbers } from '@muster/shared';

/** Samples of one part of a data set, as its file holds them. */
export interface RawSamples {
  /** For error texts: the file, and the array in it. */
  readonly name: string;
  readonly samples: number;
  /** Shape of one sample. */
  readonly shape: readonly number[];
  readonly features: Numbers;
  readonly targets: Numbers;
  /** Targets per sample. */
  readonly targetWidth: number;
  /** Whether the targets have an integer type, or are all whole numbers if the file has no types. */
  readonly wholeTargets: boolean;
}

export interface RawDataSet {
  readonly train: RawSamples;
  /** Undefined: hold it out of `train`. */
  readonly test?: RawSamples;
}
