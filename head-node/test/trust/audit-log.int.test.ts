import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { silentLogger } from '@muster/shared';
import { skipBecause, TemporaryDirectories } from '@muster/shared/testkit';
import { verifyAuditLog } from '../../src/trust/audit-check.ts';
import { AuditLog, type AuditEntry } from '../../src/trust/audit-log.ts';

const directories = new TemporaryDirectories();
let path: string;

beforeEach(() => {
  path = join(directories.make(), 'audit.jsonl');
});

afterEach(() => directories.removeAll());

const entry = (object: string): AuditEntry => ({
  action: 'submitted',
  outcome: 'done',
  actor: 'a',
  role: 'submitter',
  address: '',
  object,
  detail: '',
});

function write(...objects: string[]): void {
  const log = new AuditLog(path, silentLogger);
  for (const object of objects) log.append(entry(object));
  log.close();
}

const lines = (): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const rewrite = (changed: readonly string[]): void => writeFileSync(path, changed.map((line) => `${line}\n`).join(''));

const testOnLinux = process.platform === 'linux' ? test : skipBecause('only Linux has a file that is always full');

describe('the audit log', () => {
  testOnLinux('on a disk that is full says so in the log of the head, and goes on', () => {
    symlinkSync('/dev/full', path);
    const said: string[] = [];
    const log = new AuditLog(path, { ...silentLogger, error: (_facts, text) => void said.push(text) });
    log.append(entry('1'));
    log.append(entry('2'));
    log.close();
    expect(said.filter((text) => text === 'the audit log could not be written')).toHaveLength(2);
  });

  test('is a chain across starts', () => {
    write('1', '2');
    write('3');
    expect(verifyAuditLog(path).lines).toBe(3);
  });

  test('that is not there yet is whole', () => {
    expect(verifyAuditLog(path)).toEqual({ lines: 0, lastHash: '0'.repeat(64) });
  });

  const damages: [name: string, line: number, damage: (all: string[]) => string[]][] = [
    ['a changed line', 4, (all) => all.with(2, (all[2] ?? '').replace('"object":"3"', '"object":"4"'))],
    ['a line that is missing', 3, (all) => all.toSpliced(2, 1)],
    ['a first line that is missing', 1, (all) => all.slice(1)],
    ['two lines that changed places', 2, (all) => [all[0], all[2], all[1], ...all.slice(3)] as string[]],
    ['a line that was put in', 3, (all) => all.toSpliced(2, 0, all[1] ?? '')],
    ['a line that is none', 3, (all) => all.with(2, 'nonsense')],
  ];

  test.each(damages)('with %s is broken, at line %i', (_name, line, damage) => {
    write('1', '2', '3', '4', '5');
    rewrite(damage(lines()));
    expect(() => verifyAuditLog(path)).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', exit: 65, message: `the audit log is broken at line ${line}` }),
    );
  });

  test('goes on behind a line that a crash cut short', () => {
    write('1', '2');
    appendFileSync(path, '{"at":"20');
    write('3');
    expect(verifyAuditLog(path).lines).toBe(3);
  });

  test('whose end was cut off has another last hash', () => {
    write('1', '2', '3');
    const { lastHash } = verifyAuditLog(path);
    rewrite(lines().slice(0, 2));
    expect(verifyAuditLog(path).lastHash).not.toBe(lastHash);
  });
});
