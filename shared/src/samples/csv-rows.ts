import { MusterError } from '../errors.ts';
import { limits } from '../protocol/limits.ts';

export interface CsvTable {
  readonly rows: number;
  /** Columns without the label. */
  readonly width: number;
  /** [rows, width] */
  readonly features: Float32Array;
  /** [rows] */
  readonly labels: Float64Array;
}

/** Numbers that the first buffer holds. */
const FIRST_NUMBERS = 2 ** 18;

/** The rows of a table as they come in: buffers that double when they are full. */
export class CsvRows {
  readonly columns: number;
  readonly #path: string;
  /** The column named `label`, else the last one. */
  readonly #label: number;
  readonly #rowsMax: number;
  #features: Float32Array;
  #labels: Float64Array;
  #rows = 0;

  /** Names of the columns, '' where there is no header. */
  constructor(names: readonly string[], path: string) {
    const named = names.findIndex((name) => name.toLowerCase() === 'label');
    const width = names.length - 1;
    const bytesMax = Math.floor(limits.dataSetBytesMax.value / (width * Float32Array.BYTES_PER_ELEMENT));
    this.columns = names.length;
    this.#path = path;
    this.#label = named === -1 ? width : named;
    this.#rowsMax = Math.min(limits.samplesMax.value, bytesMax);
    const firstRows = Math.ceil(FIRST_NUMBERS / width);
    this.#features = new Float32Array(firstRows * width);
    this.#labels = new Float64Array(firstRows);
  }

  /** A new row; its columns are put next. Throws TOO_LARGE for one too many. */
  begin(): void {
    if (this.#rows === this.#rowsMax) {
      throw new MusterError('TOO_LARGE', `${this.#path} is too large`, {
        why: `it has over ${this.#rowsMax} lines of ${this.columns} columns; the limits are ${limits.samplesMax.value} samples and ${limits.dataSetBytesMax.value} bytes`,
        fix: 'give fewer samples, or bytes in the place of numbers: a .npy file of uint8',
      });
    }
    if (this.#rows === this.#labels.length) this.#grow();
    this.#rows++;
  }

  put(column: number, value: number): void {
    const row = this.#rows - 1;
    if (column === this.#label) this.#labels[row] = value;
    else this.#features[row * (this.columns - 1) + column - (column > this.#label ? 1 : 0)] = value;
  }

  table(): CsvTable {
    const [rows, width] = [this.#rows, this.columns - 1];
    return {
      rows,
      width,
      features: this.#features.subarray(0, rows * width),
      labels: this.#labels.subarray(0, rows),
    };
  }

  #grow(): void {
    const [features, labels] = [this.#features, this.#labels];
    const rows = Math.min(this.#rowsMax, labels.length * 2);
    this.#features = new Float32Array(rows * (this.columns - 1));
    this.#labels = new Float64Array(rows);
    this.#features.set(features);
    this.#labels.set(labels);
  }
}
