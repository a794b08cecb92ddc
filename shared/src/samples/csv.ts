/**
 * Tables of numbers as comma-separated text: a line for each sample, a header line or none, one column with the label. Strict: a
 * field that is missing or is no finite number is refused with its line. A general CSV library first makes a string of each
 * field, which takes longer than reading the number.
 */
import { MusterError } from '../errors.ts';
import { CsvRows, type CsvTable } from './csv-rows.ts';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const LINE_MAX = 8 * 2 ** 20;
const SHOWN_MAX = 40;
/** Integers of up to this many digits are exact in a double. */
const DIGITS_MAX = 15;

/** Takes a file piece by piece. */
export class CsvReader {
  readonly #path: string;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** The start of a line that is not complete yet. */
  #rest = '';
  #line = 0;
  #rows: CsvRows | undefined;

  /** `path` only appears in the texts of errors. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Throws BAD_DATA with the first line that cannot be used, TOO_LARGE beyond the limits of a data set. */
  push(bytes: Uint8Array): void {
    this.#takeLines(this.#rest + this.#decode(bytes));
  }

  /** Throws BAD_DATA when there was no sample. */
  end(): CsvTable {
    this.#takeLines(`${this.#rest}${this.#decode()}\n`);
    const table = this.#rows?.table();
    if (table !== undefined && table.rows > 0) return table;
    throw new MusterError('BAD_DATA', `${this.#path} is empty`, {
      why: table === undefined ? 'it has no line' : 'it has no line but its header',
      fix: 'give each sample a line: features and label, separated by commas',
    });
  }

  #decode(bytes?: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw this.#bad('it is not UTF-8 text', 'save it as CSV in UTF-8');
    }
  }

  #takeLines(text: string): void {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#takeLine(text.slice(from, text.charAt(end - 1) === '\r' ? end - 1 : end));
      from = end + 1;
    }
    this.#rest = text.slice(from);
    if (this.#rest.length > LINE_MAX)
      throw this.#bad(`line ${this.#line + 1} has over ${LINE_MAX} characters`, 'end each sample with a new line');
  }

  #takeLine(line: string): void {
    this.#line++;
    if (line.trim() === '') return;
    if (this.#rows !== undefined) this.#takeRow(this.#rows, line);
    else this.#takeFirst(line);
  }

  /** The header if none of its fields is a number, else the first sample. */
  #takeFirst(line: string): void {
    const fields = line.split(',').map((field) => field.trim());
    if (fields.length < 2)
      throw this.#bad(`line ${this.#line} has one column`, 'separate features and label by commas');
    const header = !fields.some((field) => NUMBER.test(field));
    this.#rows = new CsvRows(
      fields.map((field) => (header ? field.replace(/^"(.*)"$/s, '$1') : '')),
      this.#path,
    );
    if (!header) this.#takeRow(this.#rows, line);
  }

  #takeRow(rows: CsvRows, line: string): void {
    rows.begin();
    let column = 0;
    for (let from = 0; from <= line.length; column++) {
      const comma = line.indexOf(',', from);
      const to = comma === -1 ? line.length : comma;
      const value = numberAt(line, from, to);
      if (Number.isNaN(value)) throw this.#badField(line.slice(from, to), column);
      if (column < rows.columns) rows.put(column, value);
      from = to + 1;
    }
    if (column !== rows.columns)
      throw this.#bad(
        `line ${this.#line} has ${column} columns, the first line ${rows.columns}`,
        'give each line the same number of columns',
      );
  }

  #badField(field: string, column: number): MusterError {
    const seen = JSON.stringify(field.trim().slice(0, SHOWN_MAX));
    return this.#bad(
      `line ${this.#line}, column ${column + 1}: ${seen} is not a finite float32 number`,
      'remove the line, or replace the field by a number',
    );
  }

  #bad(why: string, fix: string): MusterError {
    return new MusterError('BAD_DATA', `${this.#path} cannot be read as CSV`, { why, fix });
  }
}

/** The number in a field, NaN unless it is a finite float32. Most fields are a few digits, which are read without making a string. */
function numberAt(line: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = line.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return numberIn(line.slice(from, to).trim());
    value = value * 10 + digit;
  }
  return to > from && to - from <= DIGITS_MAX ? value : numberIn(line.slice(from, to));
}

function numberIn(field: string): number {
  const value = NUMBER.test(field) ? Number(field) : Number.NaN;
  return Number.isFinite(Math.fround(value)) ? value : Number.NaN;
}
