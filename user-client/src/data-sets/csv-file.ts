import { CsvReader, type CsvTable } from '@muster/shared';
import type { RawDataSet } from './raw-samples.ts';
import { readDataFile } from './read-data-file.ts';

/** Text is decoded in pieces, because a string can hold only half of the largest file. */
const PIECE_BYTES = 2 ** 20;
/** Images rarely have all pixels below this; counts and codes rarely reach it. */
const PIXEL_SEEN = 128;

/** One sample per line. Columns that look like the pixels of an image become bytes. */
export async function readCsvFile(path: string): Promise<RawDataSet> {
  const bytes = await readDataFile(path);
  const reader = new CsvReader(path);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) reader.push(bytes.subarray(at, at + PIECE_BYTES));
  const table = reader.end();
  const train = {
    name: path,
    samples: table.rows,
    shape: [table.width],
    features: arePixels(table) ? Uint8Array.from(table.features) : table.features,
    targets: table.labels,
    targetWidth: 1,
    wholeTargets: table.labels.every((label) => Number.isInteger(label)),
  };
  return { train };
}

function arePixels({ features }: CsvTable): boolean {
  let largest = 0;
  for (let at = 0; at < features.length; at++) {
    const value = features[at] as number;
    if (!(value >= 0 && value <= 255 && (value | 0) === value)) return false;
    if (value > largest) largest = value;
  }
  return largest >= PIXEL_SEEN;
}
