import type { SampleLayout, Samples } from '@muster/shared';

/** Samples in memory; their number and order are fixed. */
export interface DataSplit {
  readonly samples: number;
  /** Views of the samples [from, to), which must not be modified. */
  read(from: number, to: number): Samples;
}

/** An open data set, validated as a whole: everything read from it fits its layout. */
export interface DataSet {
  readonly layout: SampleLayout;
  readonly train: DataSplit;
  readonly test: DataSplit;
  /** One line for people: how many samples of which kind. */
  readonly describe: string;
}

export interface DataSetOptions {
  /** Seed of the held-out share and of synthetic samples. */
  readonly seed: number;
  /** Share of the samples to hold out as test set if the source has none. Default 0.1. */
  readonly testShare?: number;
  /** Overrides what the element type of the file suggests. */
  readonly targets?: 'classes' | 'values';
  /** Number of classes, needed when not every class has a sample. */
  readonly classes?: number;
}
