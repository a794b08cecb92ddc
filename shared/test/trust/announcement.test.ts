import { describe, expect, test } from '@jest/globals';
import { isIP } from 'node:net';
import {
  announcementText,
  endpointsFor,
  fingerprintOf,
  limits,
  newKeyPair,
  readSighting,
  type FoundHead,
} from '@muster/shared';

const isAddress = (host: string): boolean => isIP(host) !== 0;
const [ours, theirs] = [newKeyPair().publicKey, newKeyPair().publicKey];
const announced = { cluster: 'quiet-otter', headKey: ours, hosts: ['192.0.2.1', 'fd00::1'] };
const text = announcementText(announced);
const read = (fields: Record<string, unknown> = {}, port = 5555, from = '192.0.2.9'): FoundHead | null =>
  readSighting({ text: { ...text, ...fields }, port, from }, isAddress);

describe('what a head says of itself', () => {
  test('is read as it was said, and where it came from is tried last', () => {
    expect(read()).toEqual({
      cluster: 'quiet-otter',
      fingerprint: fingerprintOf(ours),
      endpoints: ['192.0.2.1', 'fd00::1', '192.0.2.9'].map((host) => ({ host, portBase: 5555 })),
    });
    expect(read({}, 5555, '192.0.2.1')?.endpoints).toHaveLength(2);
  });

  test('has no secret in it, nor the key itself, and fits', () => {
    const hosts = Array.from({ length: 20 }, (_, at) => `fd00:1111:2222:3333:4444:5555:6666:${1000 + at}`);
    const long = announcementText({ ...announced, hosts });
    for (const [name, value] of Object.entries(long)) expect(`${name}=${value}`.length).toBeLessThanOrEqual(255);
    expect(long['hosts']?.split(',').every(isAddress)).toBe(true);
    expect(JSON.stringify(long)).not.toContain(ours);
  });
});

describe('what somebody else says', () => {
  test.each([
    ['of another version', { v: '2' }],
    ['with no name', { cluster: undefined }],
    ['with a name to deceive people', { cluster: 'quiet-otter\u001B[2J' }],
    ['with a name that is too long', { cluster: 'o'.repeat(65) }],
    ['with no key', { key: '' }],
    ['with a key that is none', { key: `${fingerprintOf(ours)}0` }],
    ['with bytes for text', { key: Buffer.from(fingerprintOf(ours)) }],
  ])('%s is passed over', (_what, fields) => expect(read(fields)).toBeNull());

  test.each([0, -1, 65_532, 70_000])('of port %d is passed over', (port) => expect(read({}, port)).toBeNull());

  test('of places that are none leaves where it came from', () => {
    expect(read({ hosts: 'evil.example,127.0.0.1;rm,999.1.1.1' })?.endpoints).toEqual([
      { host: '192.0.2.9', portBase: 5555 },
    ]);
    expect(read({ hosts: 'evil.example' }, 5555, '')).toBeNull();
  });

  test('of too many places is cut off', () => {
    const hosts = Array.from({ length: 200 }, (_, at) => `10.0.0.${at}`).join(',');
    expect(read({ hosts })?.endpoints).toHaveLength(limits.joinAddressesMax.value);
  });
});

describe('for a token', () => {
  const heads = [
    readSighting(
      { text: announcementText({ ...announced, headKey: theirs, hosts: ['192.0.2.7'] }), port: 6000, from: '' },
      isAddress,
    ),
    read(),
  ].filter((head) => head !== null);

  test('only the head with its key is one to try, whatever clusters there are', () => {
    expect(endpointsFor({ headKey: ours }, heads).map(({ host }) => host)).toEqual([
      '192.0.2.1',
      'fd00::1',
      '192.0.2.9',
    ]);
    expect(endpointsFor({ headKey: theirs }, heads)).toEqual([{ host: '192.0.2.7', portBase: 6000 }]);
    expect(endpointsFor({ headKey: newKeyPair().publicKey }, heads)).toEqual([]);
  });

  test('there are never more to try than a token may name', () => {
    const many = Array.from({ length: 50 }, () => read()).filter((head) => head !== null);
    expect(endpointsFor({ headKey: ours }, many)).toHaveLength(limits.joinAddressesMax.value);
  });
});
