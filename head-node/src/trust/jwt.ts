/**
 * JWTs of an external identity provider. EdDSA only, whatever a token says of itself; issuer, audience and both times are required; and
 * since the head cannot revoke one, none may be valid for long.
 */
import { isRole, limits, MusterError, type Role } from '@muster/shared';
import { isLoopback } from '@muster/shared/io';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { readFileSync, statSync } from 'node:fs';

export interface JwtOptions {
  /** `iss` of every token. */
  readonly issuer: string;
  /** `aud` of every token: this cluster, as the issuer calls it. */
  readonly audience: string;
  /**
   * The issuer's public keys: a file that is read again when it has changed, or an https URL that is fetched again when a key is unknown.
   */
  readonly jwks: string;
  /** The claim that holds the role. */
  readonly roleClaim: string;
}

/** The role of the token's holder, or why it is refused. */
export type JwtVerdict = { readonly role: Role } | { readonly refused: string };

export type JwtVerifier = (token: string) => Promise<JwtVerdict>;

/** Throws USAGE for keys that cannot be read. */
export function jwtVerifier({ issuer, audience, jwks, roleClaim }: JwtOptions): JwtVerifier {
  const keys = keysAt(jwks);
  const expected = {
    issuer,
    audience,
    algorithms: ['EdDSA'],
    requiredClaims: ['exp', 'iat'],
    maxTokenAge: limits.jwtLifetimeMs.value / 1000,
    clockTolerance: limits.jwtSkewMs.value / 1000,
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, expected);
      const { exp = Infinity, iat = 0 } = payload;
      if (exp - iat > limits.jwtLifetimeMs.value / 1000) return { refused: `it is good for ${exp - iat} s` };
      const role = payload[roleClaim];
      if (typeof role !== 'string' || !isRole(role)) return { refused: `its claim '${roleClaim}' names no role` };
      return { role };
    } catch (error) {
      return { refused: error instanceof Error ? error.message : String(error) };
    }
  };
}

function keysAt(jwks: string): JWTVerifyGetKey {
  const url = URL.canParse(jwks) ? new URL(jwks) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname)))
    return createRemoteJWKSet(url, { timeoutDuration: ANSWER_MS });
  if (url?.protocol === 'http:') throw unusable(`${jwks} is not encrypted: whoever is on the way could put in a key`);
  return keysOfFile(jwks);
}

const ANSWER_MS = 3000;

/** Looks for a changed file at most once a second. While that cannot be read, the old keys stay valid. */
function keysOfFile(file: string): JWTVerifyGetKey {
  let keys = keysIn(file);
  let seen = versionOf(file);
  let lookAgainMs = Date.now() + LOOK_AGAIN_MS;
  return (header, token) => {
    if (Date.now() >= lookAgainMs) {
      lookAgainMs = Date.now() + LOOK_AGAIN_MS;
      const version = versionOf(file);
      if (version !== seen) [keys, seen] = readAgain(file, version) ?? [keys, seen];
    }
    return keys(header, token);
  };
}

const LOOK_AGAIN_MS = 1000;

function versionOf(file: string): string {
  const { mtimeMs = 0, size = 0, ino = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return `${mtimeMs} ${size} ${ino}`;
}

function readAgain(file: string, version: string): [JWTVerifyGetKey, string] | null {
  try {
    return [keysIn(file), version];
  } catch {
    return null;
  }
}

function keysIn(file: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(file, 'utf8')) as JSONWebKeySet);
  } catch (error) {
    throw unusable(error instanceof Error ? error.message : file);
  }
}

const unusable = (why: string): MusterError =>
  new MusterError('USAGE', '--jwt-jwks names no keys that can be used', {
    why,
    fix: '--jwt-jwks with a file {"keys": [...]}, or with the https:// URL of one',
  });
