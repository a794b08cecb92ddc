import type { SampleLayout, Samples } from '@muster/shared';

/** Samples that lie in memory; their number and order are fixed. */
export interface DataSplit {
  readonly samples: number;
  /** The samples [from, to) as views, which must not be changed. */
  read(from: number, to: number): Samples;
}

/** A data set that is open: checked as a whole, so that what is read from it fits its layout. */
export interface DataSet {
  readonly layout: SampleLayout;
  readonly train: DataSplit;
  readonly test: DataSplit;
  /** One line for people: where it is from, how many samples of what. */
  readonly describe: string;
}

export interface DataSetOptions {
  /** Of the held out share, and of synthetic samples. */
  readonly seed: number;
  /** Share of the samples to hold out as test set where the source has none; 0.1 unless given. */
  readonly testShare?: number;
  /** What targets are, where the type of the file does not say it as it is meant. */
  readonly targets?: 'classes' | 'values';
  /** Number of classes, when not every class has a sample. */
  readonly classes?: number;
}
