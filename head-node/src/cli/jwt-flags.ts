/** Command line options for an external identity provider. */
import { MusterError } from '@muster/shared';
import { envOption } from '@muster/shared/io';
import type { Option } from 'commander';
import type { JwtOptions } from '../trust/jwt.ts';

export interface JwtFlags {
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtJwks?: string;
  readonly jwtRoleClaim: string;
}

export const jwtOptions = (): Option[] => [
  envOption('--jwt-issuer <issuer>', 'whose JWTs the HTTP interface takes: their claim iss', 'MUSTER_JWT_ISSUER'),
  envOption('--jwt-audience <audience>', 'what they are for: their claim aud', 'MUSTER_JWT_AUDIENCE'),
  envOption(
    '--jwt-jwks <file or url>',
    "the issuer's public keys (Ed25519), a file or an https:// URL",
    'MUSTER_JWT_JWKS',
  ),
  envOption('--jwt-role-claim <claim>', 'their claim that names the role', 'MUSTER_JWT_ROLE_CLAIM').default('role'),
];

/** Null when issuer, audience and keys are all absent. Throws USAGE when some of them are. */
export function jwtOptionsFrom({ jwtIssuer, jwtAudience, jwtJwks, jwtRoleClaim }: JwtFlags): JwtOptions | null {
  const named = { '--jwt-issuer': jwtIssuer, '--jwt-audience': jwtAudience, '--jwt-jwks': jwtJwks };
  const missing = Object.entries(named).filter(([, value]) => value === undefined || value === '');
  if (missing.length === 3) return null;
  if (missing.length > 0) throw incomplete(missing.map(([flag]) => flag));
  return { issuer: jwtIssuer ?? '', audience: jwtAudience ?? '', jwks: jwtJwks ?? '', roleClaim: jwtRoleClaim };
}

const incomplete = (missing: readonly string[]): MusterError =>
  new MusterError('USAGE', 'JWTs need an issuer, an audience and keys', {
    why: `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
    fix: '--jwt-issuer https://id.example.org --jwt-audience my-cluster --jwt-jwks https://id.example.org/jwks.json',
  });
