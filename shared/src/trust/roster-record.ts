/** Members, join tokens and API tokens as the head keeps them and as an admin sees them: none of them holds a secret. */
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
  /** Public half of the key pair derived from the token's secret. */
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
  /** Name of the person or program that it was made for. */
  name: z.string(),
  role: z.enum(roles),
  /** SHA-256 of the secret part, in hex. That has 256 random bits, so a slow hash is not needed. */
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
