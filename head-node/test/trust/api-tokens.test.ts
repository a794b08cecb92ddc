import { beforeEach, describe, expect, test } from '@jest/globals';
import { limits, type ApiTokenRecord } from '@muster/shared';
import { ApiTokens } from '../../src/trust/api-tokens.ts';

const HOUR_MS = 3_600_000;
let nowMs: number;
let saved: number;
const open = (records: readonly ApiTokenRecord[] = []): ApiTokens =>
  new ApiTokens(records, { changed: () => void (saved += 1), wallMs: () => nowMs });

beforeEach(() => {
  [nowMs, saved] = [1_800_000_000_000, 0];
});

const wish = { name: 'dashboard', role: 'viewer', ttlMs: HOUR_MS } as const;

describe('an API token', () => {
  test('has its role until it ends, also for the next life of the head', () => {
    const tokens = open();
    const { record, token } = tokens.issue(wish);
    expect(saved).toBe(1);
    expect(token).toMatch(/^muster_[\da-f]{16}_[\w-]{43}$/);
    for (const each of [tokens, open(tokens.records)])
      expect(each.holderOf(token)).toEqual({ ...record, name: 'dashboard', role: 'viewer' });
    nowMs += HOUR_MS - 1;
    expect(tokens.holderOf(token)).not.toBeNull();
    nowMs += 1;
    expect(tokens.holderOf(token)).toBeNull();
  });

  test('is nobody who has not all of it', () => {
    const tokens = open();
    const { token } = tokens.issue(wish);
    const other = tokens.issue(wish).token;
    const swapped = `${token.slice(0, 24)}${other.slice(24)}`;
    const last = token.endsWith('A') ? 'Q' : 'A';
    for (const wrong of [
      token.slice(0, -1),
      `${token}A`,
      `${token.slice(0, -1)}${last}`,
      swapped,
      `x${token}`,
      '',
      'muster_',
    ])
      expect(tokens.holderOf(wrong)).toBeNull();
  });

  test('is kept as a hash: nothing that is written or listed opens anything', () => {
    const tokens = open();
    const { token } = tokens.issue(wish);
    const secret = token.slice(24);
    expect(JSON.stringify(tokens.records)).not.toContain(secret);
    expect(JSON.stringify(tokens.listed)).not.toContain(tokens.records[0]?.secretHash ?? '');
    const hash = tokens.records[0]?.secretHash ?? '';
    expect(tokens.holderOf(`muster_${tokens.records[0]?.id}_${hash.slice(0, 43)}`)).toBeNull();
  });

  test('that is revoked is nobody at once, and stays listed', () => {
    const tokens = open();
    const { record, token } = tokens.issue(wish);
    const other = tokens.issue(wish);
    expect(tokens.revoke(record.id)).toMatchObject({ id: record.id, role: 'viewer' });
    expect(tokens.holderOf(token)).toBeNull();
    expect(tokens.holderOf(other.token)).not.toBeNull();
    expect(tokens.listed).toMatchObject([{ revoked: true }, { revoked: false }]);
    expect(tokens.revoke('0000000000000000')).toBeUndefined();
  });

  test('is one of not too many, and those that ended long ago are forgotten', () => {
    const records = Array.from({ length: limits.apiTokensMax.value }, (_, at) => ({
      ...wish,
      id: at.toString(16).padStart(16, '0'),
      secretHash: '00'.repeat(32),
      createdWallMs: nowMs,
      expiresWallMs: nowMs + HOUR_MS,
      revoked: false,
    }));
    const tokens = open(records);
    expect(() => tokens.issue(wish)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    nowMs += 2 * HOUR_MS;
    tokens.issue(wish);
    expect(tokens.listed).toHaveLength(records.length + 1);
    nowMs += 31 * 24 * HOUR_MS;
    tokens.issue(wish);
    expect(tokens.listed).toHaveLength(1);
  });
});
