/** A head and its HTTP interface: keys are made, listed and revoked by an admin, and open it for their role. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits, roles, silentLogger, type HttpRole } from '@muster/shared';
import { freePortBase, TemporaryDirectories } from '@muster/shared/testkit';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type * as HeadNodeModule from '../../src/head-node.ts';
import type { HeadNode } from '../../src/head-node.ts';
import type { CreatedApiToken } from '../../src/trust/administration.ts';
import { ApiTokens } from '../../src/trust/api-tokens.ts';
import { LOCAL_PEER } from '../../src/trust/peer.ts';
import { Trust } from '../../src/trust/trust.ts';
import { httpAuthenticator } from '../../src/trust/http-authenticator.ts';

/** As it was built: the head starts a compiled process beside it. */
const built = join(import.meta.dirname, '../../dist/head-node.js');
const { startHeadNode } = (await import(built)) as typeof HeadNodeModule;

const directories = new TemporaryDirectories();
const issuer = 'https://id.example.org';
const audience = 'otters';
let stateDirectory: string;
let head: HeadNode;
let sign: (role: string, issued?: number) => Promise<string>;
let jwks: string;

beforeAll(async () => {
  process.env['XDG_STATE_HOME'] = directories.make();
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  jwks = join(directories.make(), 'jwks.json');
  writeFileSync(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a' }] }));
  sign = (role, issued = 0) => {
    const nowS = Math.floor(Date.now() / 1000) + issued;
    return new SignJWT({ iss: issuer, aud: audience, role, iat: nowS, exp: nowS + 600 })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'a' })
      .sign(privateKey);
  };
  stateDirectory = directories.make();
  head = await start();
}, 60_000);

afterAll(async () => {
  await head.stop();
  directories.removeAll();
}, 30_000);

const start = async (): Promise<HeadNode> =>
  startHeadNode({
    portBase: await freePortBase(),
    stateDirectory,
    httpPort: await freePortBase(),
    jwt: { issuer, audience, jwks, roleClaim: 'role' },
    logger: silentLogger,
  });

const admin = (action: 'token-create' | 'token-ls' | 'token-revoke', given: Record<string, string> = {}): unknown =>
  head.administration.answer(LOCAL_PEER, { action, arguments: given });
const create = (given: Record<string, string> = {}): CreatedApiToken =>
  admin('token-create', { api: 'true', ...given }) as CreatedApiToken;
const auditLines = (): string[] => readFileSync(Trust.auditFileIn(stateDirectory), 'utf8').trim().split('\n');

async function statusWith(key: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`http://127.0.0.1:${head.httpPort}/healthz`, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

describe('a key for the HTTP interface', () => {
  test('opens it until it is revoked, also after the head was started again', async () => {
    const { token, id, role } = create();
    expect(role).toBe('viewer');
    expect(await statusWith(token)).toBe(200);
    await head.stop();
    head = await start();
    expect(await statusWith(token)).toBe(200);
    admin('token-revoke', { id });
    expect(await statusWith(token)).toBe(401);
  }, 60_000);

  test('is listed without what opens anything, and is in no file', () => {
    const { token, id } = create({ name: 'dashboard', role: 'admin', ttlMs: '60000' });
    const listed = admin('token-ls') as { readonly apiTokens: readonly { readonly id: string }[] };
    expect(listed.apiTokens.find((found) => found.id === id)).toMatchObject({ name: 'dashboard', role: 'admin' });
    const secret = token.split('_').at(-1) ?? '';
    expect(JSON.stringify(listed)).not.toMatch(new RegExp(`${secret}|secretHash`));
    for (const file of ['roster.json', 'audit.jsonl'])
      expect(readFileSync(join(Trust.folderIn(stateDirectory), file), 'utf8')).not.toContain(secret);
  });

  test.each([
    ['a role that is none', { role: 'root' }],
    ['a name that would not be read back', { name: 'a b' }],
    ['no time at all', { ttlMs: '0' }],
    ['more than a year', { ttlMs: String(366 * 86_400_000) }],
  ])('is not made for %s', (_what, given) => {
    expect(() => create(given)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('of an issuer opens it too, and a wrong one leaves a line and a count', async () => {
    expect(await statusWith(await sign('viewer'))).toBe(200);
    const [before, lines] = [head.counters()['httpKeysRefused'] ?? 0, auditLines().length];
    const wrong = [await sign('viewer', -3600), await sign('root'), `${create().token}x`, 'nonsense'];
    wrong.push('x'.repeat(limits.bearerBytesMax.value + 1), 'not one word');
    for (const key of wrong) expect(await statusWith(key)).toBe(401);
    expect((head.counters()['httpKeysRefused'] ?? 0) - before).toBe(wrong.length);
    const written = auditLines()
      .slice(lines)
      .filter((line) => line.includes('"http-key"'));
    expect(written).toHaveLength(wrong.length);
    for (const key of wrong) expect(written.join('')).not.toContain(key);
  });
});

test('a page of another site leaves a line and a count', async () => {
  const [before, lines] = [head.counters()['httpRequestsRefused'] ?? 0, auditLines().length];
  const { status } = await fetch(`http://127.0.0.1:${head.httpPort}/metrics`, {
    headers: { origin: 'http://evil.example' },
  });
  expect([status, head.counters()['httpRequestsRefused']]).toEqual([403, before + 1]);
  expect(auditLines().slice(lines).join('')).toContain('"http-request"');
});

test('whoever shows a key is of the role that it has, and of no other', async () => {
  const apiTokens = new ApiTokens([], { changed: () => undefined, wallMs: Date.now });
  const refused: string[] = [];
  const keyRefused = (why: string): void => void refused.push(why);
  const authenticator = httpAuthenticator({ issuer, audience, jwks, roleClaim: 'role' }, { apiTokens, keyRefused });
  const visitorOf = async (key: string): Promise<HttpRole | null> => authenticator(key);
  for (const role of roles) {
    expect(await visitorOf(apiTokens.issue({ name: 'a', role, ttlMs: 1000 }).token)).toBe(role);
    expect(await visitorOf(await sign(role))).toBe(role);
  }
  expect(refused).toEqual([]);
  const withoutIssuer = httpAuthenticator(null, { apiTokens, keyRefused });
  expect(await withoutIssuer(await sign('admin'))).toBeNull();
  expect(refused).toEqual([expect.stringContaining('no issuer')]);
});
