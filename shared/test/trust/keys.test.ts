import { describe, expect, test } from '@jest/globals';
import {
  decodeZ85,
  encodeZ85,
  fingerprintOf,
  isKey,
  isPublicKey,
  keyPairOf,
  newKeyPair,
  sealBetween,
} from '@muster/shared';
import * as fc from 'fast-check';

describe('Z85', () => {
  test('writes the example of RFC 32', () => {
    const bytes = Buffer.from('864fd26fb559f75b', 'hex');
    expect(encodeZ85(bytes)).toBe('HelloWorld');
    expect(decodeZ85('HelloWorld')).toEqual(bytes);
  });

  test('comes back as it went', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) =>
        expect(decodeZ85(encodeZ85(bytes))).toEqual(Buffer.from(bytes)),
      ),
    );
  });

  test.each(['Hello', 'Hell', '"ello', '#####', 'HelloWorld'.repeat(5)])('%j is no key', (text) => {
    expect(isKey(text)).toBe(false);
  });

  test.each(['"ello', '#####', 'Hel'])('%j is no Z85', (text) => {
    expect(decodeZ85(text)).toBeNull();
  });
});

describe('a key pair', () => {
  test('is that of RFC 7748, section 5.2, first iteration', () => {
    const nine = Buffer.alloc(32);
    nine[0] = 9;
    const { publicKey } = keyPairOf(nine);
    const expected = '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079';
    expect(decodeZ85(publicKey)?.toString('hex')).toBe(expected);
  });

  test('seals the same from both sides, and otherwise for another', () => {
    const [head, node, other] = [newKeyPair(), newKeyPair(), newKeyPair()];
    const seal = sealBetween(node.secretKey, head.publicKey);
    expect(seal).toMatch(/^[0-9a-f]{16}$/);
    expect(sealBetween(head.secretKey, node.publicKey)).toBe(seal);
    expect(sealBetween(other.secretKey, head.publicKey)).not.toBe(seal);
  });

  test.each([
    ['zero', '0'.repeat(64)],
    ['of order 1', `01${'0'.repeat(62)}`],
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['the prime, which is zero', `ed${'f'.repeat(60)}7f`],
    ['another one with the highest bit', `${'11'.repeat(31)}91`],
    ['too short', '11'.repeat(28)],
  ])('is of no key that is %s', (_, hex) => {
    expect(isPublicKey(encodeZ85(Buffer.from(hex, 'hex')))).toBe(false);
    expect(isPublicKey(newKeyPair().publicKey)).toBe(true);
  });

  test('has a fingerprint', () => {
    const { publicKey } = newKeyPair();
    expect(fingerprintOf(publicKey)).toMatch(/^[0-9a-f]{16}$/);
    expect(() => fingerprintOf('no key')).toThrow('32 bytes');
  });
});
