import { MusterError } from '@muster/shared';
import { existsSync, readFileSync } from 'node:fs';
import { BEFORE_THE_FIRST, hashOfLine } from './audit-log.ts';

export interface AuditVerdict {
  readonly lines: number;
  /** SHA-256 of the last line: a log whose end was cut off has another. */
  readonly lastHash: string;
}

/** Throws BAD_DATA that names the first line that does not follow from the line before it. */
export function verifyAuditLog(path: string): AuditVerdict {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [''];
  // After the last line end there is nothing, or the part of a line that a crash has left.
  lines.pop();
  let lastHash = BEFORE_THE_FIRST;
  for (const [at, line] of lines.entries()) {
    const named = previousIn(line);
    if (named !== lastHash) throw broken(path, at + 1, named);
    lastHash = hashOfLine(line);
  }
  return { lines: lines.length, lastHash };
}

function previousIn(line: string): string {
  try {
    const { previous } = JSON.parse(line) as { readonly previous?: unknown };
    return typeof previous === 'string' ? previous : '';
  } catch {
    return '';
  }
}

const broken = (path: string, line: number, named: string): MusterError =>
  new MusterError('BAD_DATA', `the audit log is broken at line ${line}`, {
    why:
      named === ''
        ? 'it is no line of this log'
        : `it follows on ${named.slice(0, 12)}, which is not the line before it`,
    fix: `compare ${path} with a copy: line ${line} or the one before it was changed, put in or taken out`,
  });
