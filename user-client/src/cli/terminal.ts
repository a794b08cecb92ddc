import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** stdout carries data only; everything for people goes to stderr. */
export interface Terminal {
  readonly columns: number;
  /** Whether lines can be redrawn. */
  readonly live: boolean;
  readonly colors: Colors;
  readonly data: (text: string) => void;
  readonly note: (text: string) => void;
  /** Writes the text as it is, without a line end. */
  readonly draw: (text: string) => void;
}

export function processTerminal({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const dumb = env['TERM'] === 'dumb';
  const plain = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  const coloured = stderr.isTTY && !dumb && !plain;
  return {
    get columns() {
      return stderr.columns || 80;
    },
    live: stderr.isTTY && !dumb,
    colors: picocolors.createColors(coloured),
    data: (text) => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    draw: (text) => void stderr.write(text),
  };
}
