import { roles, type ProviderId, type Role } from '@muster/shared';

/**
 * Where a message came in.
 * local      a socket in a folder for this account only: its sender could read the head's state
 * encrypted  TCP with CURVE: its sender holds a key that the head knows; the seal tells which
 * plain      TCP of a head with `--insecure`, on loopback
 */
export type Origin = 'local' | 'encrypted' | 'plain';

/** The sender of a message. */
export interface Peer {
  /** 16 hex digits of a member; 'local' for programs of the head's own account; 'token ID' for a peer that is about to enrol. */
  readonly identity: string;
  readonly name: string;
  /** Empty for a peer that is about to enrol. */
  readonly roles: readonly Role[];
  /** The provider id that it may register under; null: none. */
  readonly provider: ProviderId | 'any' | null;
}

export const LOCAL_PEER: Peer = { identity: 'local', name: 'local', roles, provider: 'any' };
