/** Members, join tokens and API tokens as the head keeps them, and as an admin sees them: there is no secret in any. */
import { z } from 'zod';
import { roles } from './role.ts';

export const memberRecord = z.object({
  /** 16 hex digits. */
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  /** CURVE, Z85. */
  publicKey: z.string(),
  /** '' for a client. */
  provider: z.string(),
  enrolledWallMs: z.number(),
  /** Id of the token that it came with. */
  byToken: z.string(),
  state: z.enum(['active', 'pending', 'revoked']),
});
export type Member = z.infer<typeof memberRecord>;

export const tokenRecord = z.object({
  id: z.string(),
  role: z.enum(roles),
  /** Of the key pair that follows from the token's secret. */
  publicKey: z.string(),
  createdWallMs: z.number(),
  expiresWallMs: z.number(),
  usesLeft: z.number().int(),
  requireApproval: z.boolean(),
  revoked: z.boolean(),
});
export type IssuedToken = z.infer<typeof tokenRecord>;

export const apiTokenRecord = z.object({
  /** 16 hex digits; the first part of the token. */
  id: z.string(),
  /** Who it was made for, as people say it. */
  name: z.string(),
  role: z.enum(roles),
  /** SHA-256 of the secret part, in hex. It has 256 random bits, so there is nothing to guess and nothing to slow down. */
  secretHash: z.string(),
  createdWallMs: z.number(),
  expiresWallMs: z.number(),
  revoked: z.boolean(),
});
export type ApiTokenRecord = z.infer<typeof apiTokenRecord>;

export const rosterRecord = z.object({
  members: z.array(memberRecord),
  tokens: z.array(tokenRecord),
  apiTokens: z.array(apiTokenRecord).default([]),
  /** Provider ids of nodes that get no work until an admin undoes it; those of the head's own account have no member. */
  drained: z.array(z.string()).default([]),
});
export type RosterRecord = z.infer<typeof rosterRecord>;

export const isTokenUsable = ({ revoked, usesLeft, expiresWallMs }: IssuedToken, nowWallMs: number): boolean =>
  !revoked && usesLeft > 0 && expiresWallMs > nowWallMs;
