import { roles, type ProviderId, type Role } from '@muster/shared';

/**
 * Where a message came in.
 * local      a socket in a folder for this account only: its sender could read the head's state
 * encrypted  TCP with CURVE: its sender holds a key that the head knows, and says which by its seal
 * plain      TCP of a head with `--insecure`, on loopback
 */
export type Origin = 'local' | 'encrypted' | 'plain';

/** Who has sent a message. */
export interface Peer {
  /** 16 hex digits of an enrolled one; 'local' for programs of the head's own account; 'token ID' for who comes to be enrolled. */
  readonly identity: string;
  readonly name: string;
  /** None for who comes to be enrolled. */
  readonly roles: readonly Role[];
  /** The id that it may register under; null: none. */
  readonly provider: ProviderId | 'any' | null;
}

export const LOCAL_PEER: Peer = { identity: 'local', name: 'local', roles, provider: 'any' };
