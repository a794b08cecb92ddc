import type { Channel, Logger } from '@muster/shared';
import { leaveLocalCredential, removeLocalCredential } from '@muster/shared/io';
import type { Trust } from './trust.ts';

export interface CredentialOptions {
  readonly portBase: number;
  readonly insecure: boolean;
  readonly headId: string;
  readonly trust: Pick<Trust, 'keys' | 'localKeys'>;
  readonly ipc: Readonly<Record<Channel, string>> | null;
  readonly logger: Logger;
}

/**
 * Leaves a credential for programs of this machine and account. Returns a function that removes it. Where it cannot be written, as in a
 * container without a home, the head runs without: programs that join with a token do not need it.
 */
export function publishCredential({ portBase, insecure, headId, trust, ipc, logger }: CredentialOptions): () => void {
  const headKey = insecure ? null : trust.keys.publicKey;
  try {
    leaveLocalCredential(portBase, { headId, headKey, keys: trust.localKeys, ipc });
    return () => removeLocalCredential(portBase, headId);
  } catch (error) {
    logger.warn({ error }, 'programs of this account must join with a token like all others');
    return () => undefined;
  }
}
