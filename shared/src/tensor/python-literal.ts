/** What the header of a `.npy` file may hold: strings, whole numbers, True, False, None, tuples, lists, dictionaries. */
export type PythonValue =
  string | number | boolean | null | readonly PythonValue[] | ReadonlyMap<PythonValue, PythonValue>;

/** Deeper nesting than any dtype has; a hostile header must not exhaust the stack. */
const DEPTH_MAX = 32;

const WORDS: ReadonlyMap<string, PythonValue> = new Map<string, PythonValue>([
  ['True', true],
  ['False', false],
  ['None', null],
]);

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };

/** Reads one Python literal that is the whole text but for white space; throws SyntaxError with the position. */
export function parsePythonLiteral(text: string): PythonValue {
  const reader = new LiteralReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class LiteralReader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): PythonValue {
    if (depth > DEPTH_MAX) throw this.#unexpected('too deep');
    const next = this.#peek();
    if (next === "'" || next === '"') return this.#string(next);
    if (next === '{') return this.#dictionary(depth);
    if (next === '[') return this.#sequence(']', depth).items;
    if (next === '(') return this.#parenthesized(depth);
    return this.#word();
  }

  end(): void {
    if (this.#peek() !== '') throw this.#unexpected('trailing text');
  }

  /** The next character that is not white space, '' at the end. */
  #peek(): string {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text.charAt(this.#at))) this.#at++;
    return this.#text.charAt(this.#at);
  }

  #take(expected: string): boolean {
    if (this.#peek() !== expected) return false;
    this.#at++;
    return true;
  }

  #expect(expected: string): void {
    if (!this.#take(expected)) throw this.#unexpected(`'${expected}' expected`);
  }

  #string(quote: string): string {
    let read = '';
    this.#at++;
    for (;;) {
      const character = this.#text.charAt(this.#at++);
      if (character === '') throw this.#unexpected('string without end');
      if (character === quote) return read;
      read += character === '\\' ? this.#escaped() : character;
    }
  }

  #escaped(): string {
    const replaced = ESCAPES[this.#text.charAt(this.#at++)];
    if (replaced === undefined) throw this.#unexpected('unknown escape');
    return replaced;
  }

  /** True, False, None or a whole number (`10L` as Python 2 wrote it). */
  #word(): PythonValue {
    const [word] = /^[+-]?\w+/.exec(this.#text.slice(this.#at, this.#at + 32)) ?? [''];
    const value = WORDS.get(word) ?? (/^[+-]?\d+L?$/.test(word) ? Number.parseInt(word, 10) : undefined);
    if (value === undefined && word !== 'None') throw this.#unexpected('unknown word');
    this.#at += word.length;
    return value ?? null;
  }

  /** `(1)` is a number, `(1,)` a tuple. */
  #parenthesized(depth: number): PythonValue {
    const { items, commas } = this.#sequence(')', depth);
    return items.length === 1 && commas === 0 ? (items[0] ?? null) : items;
  }

  #sequence(closing: string, depth: number): { items: PythonValue[]; commas: number } {
    const items: PythonValue[] = [];
    let commas = 0;
    this.#at++;
    while (!this.#take(closing)) {
      if (items.length > commas) throw this.#unexpected("',' expected");
      items.push(this.value(depth + 1));
      if (this.#take(',')) commas++;
    }
    return { items, commas };
  }

  #dictionary(depth: number): ReadonlyMap<PythonValue, PythonValue> {
    const entries = new Map<PythonValue, PythonValue>();
    let more = true;
    this.#at++;
    while (!this.#take('}')) {
      if (!more) throw this.#unexpected("',' expected");
      const key = this.value(depth + 1);
      this.#expect(':');
      entries.set(key, this.value(depth + 1));
      more = this.#take(',');
    }
    return entries;
  }

  #unexpected(why: string): SyntaxError {
    return new SyntaxError(`${why} at character ${this.#at}`);
  }
}
