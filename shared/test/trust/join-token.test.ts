import { describe, expect, test } from '@jest/globals';
import { enrolmentKeys, isMusterError, newKeyPair, readJoinToken, roles, writeJoinToken } from '@muster/shared';
import * as fc from 'fast-check';

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map((bytes) => Buffer.from(bytes).toString('hex'));

const endpoint = fc.record({
  host: fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom('a', 'b', 'z', '.', '-', ':', '0', '9') }),
  portBase: fc.integer({ min: 1024, max: 65_531 }),
});

const tokens = fc.record({
  id: hex(16),
  secret: hex(32),
  role: fc.constantFrom(...roles),
  expiresWallMs: fc.integer({ min: 0, max: 2 ** 48 }),
  headKey: fc.constant(newKeyPair().publicKey),
  endpoints: fc.array(endpoint, { minLength: 1, maxLength: 8 }),
});

const TOKEN = {
  id: '0011223344556677',
  secret: '00112233445566778899aabbccddeeff',
  role: 'provider',
  expiresWallMs: 1_800_000_000_000,
  headKey: newKeyPair().publicKey,
  endpoints: [{ host: '192.168.1.20', portBase: 5555 }],
} as const;
const LINE = writeJoinToken(TOKEN);
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');

/** What the reading of it ends with. */
function complaint(line: string): string {
  try {
    readJoinToken(line);
    return 'read';
  } catch (error) {
    return isMusterError(error) ? `${error.code}: ${error.message}` : String(error);
  }
}

describe('a join token', () => {
  test('comes back as it went', () => {
    fc.assert(fc.property(tokens, (token) => expect(readJoinToken(` ${writeJoinToken(token)}\n`)).toEqual(token)));
  });

  test('is one word of the shell, short enough to paste', () => {
    expect(LINE).toMatch(/^MUSTER1-[\w-]+$/);
    expect(LINE.length).toBeLessThan(140);
  });

  test('that was cut off says so, wherever it was cut', () => {
    for (let length = 'MUSTER1-'.length + 4; length < LINE.length; length += 1)
      expect(complaint(LINE.slice(0, length))).toBe('TOKEN_INVALID: the join token was cut off');
  });

  test('with one character changed says so, whichever it is', () => {
    for (let at = 'MUSTER1-'.length + 3; at < LINE.length; at += 1) {
      for (const other of CHARACTERS.filter((_, index) => index % 7 === at % 7)) {
        if (other === LINE[at]) continue;
        const changed = LINE.slice(0, at) + other + LINE.slice(at + 1);
        expect(complaint(changed)).toBe('TOKEN_INVALID: the join token has a wrong character');
      }
    }
  });

  test('with a changed or missing beginning is refused', () => {
    for (let at = 0; at < 11; at += 1) {
      const changed = `${LINE.slice(0, at)}${LINE[at] === 'Q' ? 'R' : 'Q'}${LINE.slice(at + 1)}`;
      expect(complaint(changed)).toMatch(/^TOKEN_INVALID/);
      expect(complaint(LINE.slice(at + 1))).toMatch(/^TOKEN_INVALID/);
    }
  });

  test('is refused and nothing worse whatever it is', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(complaint(`MUSTER1-${text}`)).toMatch(/^TOKEN_INVALID/)));
    fc.assert(fc.property(fc.base64String(), (text) => expect(complaint(`MUSTER1-${text}`)).toMatch(/^TOKEN_INVALID/)));
  });

  test('leads to the same keys wherever its secret is known', () => {
    expect(enrolmentKeys(readJoinToken(LINE))).toEqual(enrolmentKeys(TOKEN));
    expect(enrolmentKeys({ secret: 'ff'.repeat(16) })).not.toEqual(enrolmentKeys(TOKEN));
  });
});
