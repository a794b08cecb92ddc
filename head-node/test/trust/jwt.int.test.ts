/** JWTs of an identity provider that the test plays: which are taken, and as whom. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { roles } from '@muster/shared';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { jwtVerifier, type JwtVerdict, type JwtVerifier } from '../../src/trust/jwt.ts';

const issuer = 'https://id.example.org';
const audience = 'quiet-otter';
const directories = new TemporaryDirectories();

interface Pair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

let [ours, second, foreign]: Pair[] = [];
let jwks: { keys: JWK[] };
let file: string;
let verify: JwtVerifier;

const keyPair = (): Promise<Pair> => generateKeyPair('EdDSA', { extractable: true });
const jwkOf = async ({ publicKey }: Pair, kid: string): Promise<JWK> => ({ ...(await exportJWK(publicKey)), kid });

beforeAll(async () => {
  [ours, second, foreign] = [await keyPair(), await keyPair(), await keyPair()];
  jwks = { keys: [await jwkOf(ours, 'ours'), await jwkOf(second, 'second')] };
  file = join(directories.make(), 'jwks.json');
  writeFileSync(file, JSON.stringify(jwks));
  verify = jwtVerifier({ issuer, audience, jwks: file, roleClaim: 'role' });
});

afterAll(() => directories.removeAll());

interface Terms {
  readonly claims?: Record<string, unknown>;
  readonly header?: { readonly alg?: string; readonly kid?: string };
  readonly key?: CryptoKey | Uint8Array;
  /** Seconds from now. */
  readonly issued?: number;
  readonly expires?: number | null;
}

function signed({ claims = {}, header = {}, key, issued = 0, expires = 600 }: Terms = {}): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const times = { iat: nowS + issued, ...(expires === null ? {} : { exp: nowS + expires }) };
  return new SignJWT({ iss: issuer, aud: audience, sub: 'ada', role: 'viewer', ...times, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'ours', ...header })
    .sign(key ?? (ours as Pair).privateKey);
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const verdictOf = async (terms: Terms): Promise<JwtVerdict> => verify(await signed(terms));

describe('a JWT is taken', () => {
  test.each(roles)('as %s, if that is the role in it', async (role) => {
    expect(await verdictOf({ claims: { role } })).toEqual({ role });
  });

  test('with any key of the issuer, for one audience among others, and from a clock a little off', async () => {
    expect(await verdictOf({ key: second?.privateKey as CryptoKey, header: { kid: 'second' } })).toEqual({
      role: 'viewer',
    });
    expect(await verdictOf({ claims: { aud: ['others', audience] } })).toEqual({ role: 'viewer' });
    expect(await verdictOf({ issued: 3, expires: 603 })).toEqual({ role: 'viewer' });
    expect(await verdictOf({ issued: -900, expires: 0 })).toEqual({ role: 'viewer' });
  });

  test('with its role in the claim that was configured', async () => {
    const other = jwtVerifier({ issuer, audience, jwks: file, roleClaim: 'muster_role' });
    expect(await other(await signed({ claims: { muster_role: 'admin', role: 'viewer' } }))).toEqual({ role: 'admin' });
    expect(await other(await signed({}))).toEqual({ refused: "its claim 'muster_role' names no role" });
  });
});

describe('a file of keys that has changed', () => {
  let nowMs: jest.SpiedFunction<typeof Date.now>;
  let own: string;
  let other: JwtVerifier;
  const real = Date.now;
  let passedMs = 0;

  beforeEach(async () => {
    passedMs = 0;
    nowMs = jest.spyOn(Date, 'now').mockImplementation(() => real() + passedMs);
    own = join(directories.make(), 'jwks.json');
    writeFileSync(own, JSON.stringify({ keys: [await jwkOf(ours!, 'ours')] }));
    other = jwtVerifier({ issuer, audience, jwks: own, roleClaim: 'role' });
  });
  afterEach(() => nowMs.mockRestore());

  const bySecond = (): Promise<string> => signed({ key: second!.privateKey, header: { kid: 'second' } });

  test('is read again within a second: new keys hold, and old ones no more', async () => {
    expect(await other(await bySecond())).toHaveProperty('refused');
    writeFileSync(own, JSON.stringify({ keys: [await jwkOf(second!, 'second')] }));
    passedMs = 1000;
    expect(await other(await bySecond())).toEqual({ role: 'viewer' });
    expect(await other(await signed())).toHaveProperty('refused');
  });

  test('holds as it was while what is there now cannot be read', async () => {
    for (const half of ['{"keys": [', '']) {
      writeFileSync(own, half);
      passedMs += 1000;
      expect(await other(await signed())).toEqual({ role: 'viewer' });
    }
    rmSync(own);
    passedMs += 1000;
    expect(await other(await signed())).toEqual({ role: 'viewer' });
    writeFileSync(own, JSON.stringify({ keys: [await jwkOf(second!, 'second')] }));
    passedMs += 1000;
    expect(await other(await bySecond())).toEqual({ role: 'viewer' });
  });
});

describe('a JWT is refused', () => {
  test.each<[string, Terms]>([
    ['it is expired', { issued: -700, expires: -60 }],
    ['it is good for more than fifteen minutes', { expires: 901 }],
    ['it was good for more than fifteen minutes, whatever is left of it', { issued: -800, expires: 200 }],
    ['it never ends', { expires: null }],
    ['it does not say when it was issued', { claims: { iat: undefined } }],
    ['it is of tomorrow', { issued: 60, expires: 120 }],
    ['it is not valid yet', { claims: { nbf: Math.floor(Date.now() / 1000) + 300 } }],
    ['it is for another audience', { claims: { aud: 'loud-otter' } }],
    ['it is for nobody', { claims: { aud: undefined } }],
    ['it is of another issuer', { claims: { iss: 'https://id.example.com' } }],
    ['it is of nobody', { claims: { iss: undefined } }],
    ['its key is unknown', { header: { kid: 'third' } }],
    ['its role is none', { claims: { role: 'root' } }],
    ['it has no role', { claims: { role: undefined } }],
    ['it has a list of roles', { claims: { role: ['admin'] } }],
  ])('when %s', async (_why, terms) => {
    expect(await verdictOf(terms)).toEqual({ refused: expect.any(String) });
  });

  test('when somebody else has signed it', async () => {
    expect(await verdictOf({ key: (foreign as Pair).privateKey })).toEqual({ refused: expect.any(String) });
  });

  test('when it says that nobody had to sign it', async () => {
    const [, payload] = (await signed()).split('.');
    for (const alg of ['none', 'None', 'NONE', ''])
      for (const signature of ['', 'AA'])
        expect(await verify(`${base64({ alg, kid: 'ours' })}.${payload}.${signature}`)).toEqual({
          refused: expect.any(String),
        });
  });

  test('when the public key, which everybody has, has signed it as if it were a secret', async () => {
    const { publicKey } = ours as Pair;
    const raw = Buffer.from(jwks.keys[0]?.x ?? '', 'base64url');
    for (const key of [raw, Buffer.from(await exportSPKI(publicKey)), Buffer.from(JSON.stringify(jwks.keys[0]))])
      expect(await verdictOf({ key: new Uint8Array(key), header: { alg: 'HS256' } })).toEqual({
        refused: expect.stringContaining('alg'),
      });
  });

  test.each(['ES256', 'RS256'])('when it is signed by %s, although the issuer has such a key', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const more = join(directories.make(), 'jwks.json');
    writeFileSync(more, JSON.stringify({ keys: [...jwks.keys, { ...(await exportJWK(publicKey)), kid: 'other' }] }));
    const token = await signed({ key: privateKey, header: { alg, kid: 'other' } });
    const verdict = await jwtVerifier({ issuer, audience, jwks: more, roleClaim: 'role' })(token);
    expect(verdict).toEqual({ refused: expect.stringContaining('alg') });
  });

  test('when it brings its own key', async () => {
    const jwk = await exportJWK((foreign as Pair).publicKey);
    const token = await signed({ key: (foreign as Pair).privateKey, header: { jwk } as Terms['header'] & object });
    expect(await verify(token)).toEqual({ refused: expect.any(String) });
  });

  test('when a character of it is another', async () => {
    const token = await signed();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const flipped = (text: string): string => `${text.slice(0, 5)}${text[5] === 'A' ? 'B' : 'A'}${text.slice(6)}`;
    for (const wrong of [
      `${flipped(header)}.${payload}.${signature}`,
      `${header}.${flipped(payload)}.${signature}`,
      `${header}.${payload}.${flipped(signature)}`,
      `${header}.${payload}`,
      'nonsense',
      '',
    ])
      expect(await verify(wrong)).toEqual({ refused: expect.any(String) });
  });
});

describe("the issuer's keys", () => {
  let server: Server;
  let served: { keys: JWK[] };
  let asked = 0;

  beforeAll(async () => {
    served = { keys: jwks.keys.slice(0, 1) };
    server = createServer((_request, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(served));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;

  test('are fetched once from a URL', async () => {
    const remote = jwtVerifier({ issuer, audience, jwks: url(), roleClaim: 'role' });
    for (let times = 0; times < 3; times += 1) expect(await remote(await signed())).toEqual({ role: 'viewer' });
    expect(asked).toBe(1);
    const unknown = await signed({ key: second?.privateKey as CryptoKey, header: { kid: 'second' } });
    expect(await remote(unknown)).toEqual({ refused: expect.any(String) });
  });

  test('that cannot be fetched open nothing', async () => {
    const away = jwtVerifier({ issuer, audience, jwks: 'http://127.0.0.1:1/jwks.json', roleClaim: 'role' });
    expect(await away(await signed())).toEqual({ refused: expect.any(String) });
  });

  test.each(['/nowhere/jwks.json', import.meta.filename, 'http://id.example.org/jwks.json'])(
    'are not at %s',
    (where) => {
      expect(() => jwtVerifier({ issuer, audience, jwks: where, roleClaim: 'role' })).toThrow(
        expect.objectContaining({ code: 'USAGE' }),
      );
    },
  );
});
