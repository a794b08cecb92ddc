/** Authenticates keys of the HTTP interface: API tokens, and JWTs of the configured issuer. */
import type { Role } from '@muster/shared';
import { ApiTokens } from './api-tokens.ts';
import type { HttpAuthenticator } from './http-gate.ts';
import { jwtVerifier, type JwtOptions, type JwtVerdict } from './jwt.ts';

export interface HttpAuthenticatorPorts {
  readonly apiTokens: ApiTokens;
  /** Called with the reason when a key is refused. */
  readonly keyRefused: (why: string) => void;
}

/** Throws USAGE for keys of the issuer that cannot be read. `jwt`: null for no issuer. */
export function httpAuthenticator(
  jwt: JwtOptions | null,
  { apiTokens, keyRefused }: HttpAuthenticatorPorts,
): HttpAuthenticator {
  const verify = jwt === null ? null : jwtVerifier(jwt);
  const refuse = (why: string): null => {
    keyRefused(why);
    return null;
  };
  const ofJwt = async (key: string): Promise<Role | null> => {
    const verdict: JwtVerdict = (await verify?.(key)) ?? {
      refused: 'it is no API token, and no issuer of others is configured',
    };
    return 'role' in verdict ? verdict.role : refuse(verdict.refused);
  };
  return (key) => {
    if (!ApiTokens.isOne(key)) return ofJwt(key);
    return apiTokens.holderOf(key)?.role ?? refuse('an API token that is unknown, expired or revoked');
  };
}
