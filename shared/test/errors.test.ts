import { describe, expect, test } from '@jest/globals';
import {
  describeError,
  errorKinds,
  exitCode,
  fromWireError,
  isErrorCode,
  isMusterError,
  MusterError,
  toWireError,
  type ErrorCode,
} from '@muster/shared';

describe('errors', () => {
  test('take exit status and retryability from the table', () => {
    for (const code of Object.keys(errorKinds) as ErrorCode[]) {
      const error = new MusterError(code, 'what');
      expect([error.exit, error.retryable]).toEqual([errorKinds[code].exit, errorKinds[code].retryable]);
    }
  });

  test('are described in three lines', () => {
    const error = new MusterError('BAD_DATA', 'a.npy is empty', { why: 'its shape is (0, 3)', fix: 'give another' });
    expect(describeError(error)).toBe(
      'error: a.npy is empty (BAD_DATA, exit 65)\n  why: its shape is (0, 3)\n  fix: give another',
    );
    expect(describeError(new MusterError('TIMEOUT', 'late'))).toBe('error: late (TIMEOUT, exit 6)');
  });

  test('survive the wire', () => {
    const error = new MusterError('RESULT_LOST', 'what', { why: 'why', fix: 'fix', cause: new Error('inner') });
    const received = fromWireError(JSON.parse(JSON.stringify(toWireError(error))) as ReturnType<typeof toWireError>);
    expect(received).toBeInstanceOf(MusterError);
    expect({ ...toWireError(received) }).toEqual({ code: 'RESULT_LOST', what: 'what', why: 'why', fix: 'fix' });
  });

  test('of other kinds travel as BUG', () => {
    expect(toWireError(new RangeError('off by one'))).toEqual({ code: 'BUG', what: 'off by one', why: '', fix: '' });
    expect(toWireError('thrown text').what).toBe('thrown text');
  });

  test('are recognised by shape, not by class', () => {
    expect(isMusterError({ code: 'TIMEOUT', message: 'x', why: '', fix: '' })).toBe(true);
    expect(isMusterError(Object.assign(new Error('x'), { code: 'ENOENT', fix: '' }))).toBe(false);
    expect(isMusterError(null)).toBe(false);
    expect(isErrorCode('toString')).toBe(false);
  });

  test('keep their cause', () => {
    const cause = new Error('inner');
    expect(new MusterError('BUG', 'what', { cause }).cause).toBe(cause);
    expect('cause' in new MusterError('BUG', 'what')).toBe(false);
  });

  test('exit statuses are distinct', () => {
    expect(new Set(Object.values(exitCode)).size).toBe(Object.keys(exitCode).length);
  });
});
