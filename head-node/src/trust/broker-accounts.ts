/**
 * Logins of providers at the broker. A password is derived from the head's secret key, the provider and the identity that it joined as:
 * none is stored, and a provider that joins again after it was revoked has another.
 */
import {
  decodeZ85,
  isMusterError,
  isProviderId,
  limits,
  type BrokerOffer,
  type Logger,
  type Member,
  type ProviderId,
} from '@muster/shared';
import { ProviderAccounts, type BrokerTls } from '@muster/rabbitmq';
import { hkdfSync } from 'node:crypto';
import type { Roster } from './roster.ts';

export interface BrokerAccounts {
  /**
   * Makes the provider's user; at its enrolment, and again at each registration, as the broker may have lost it. `joinedAs`: its identity,
   * or 'local'.
   */
  admit(provider: ProviderId, joinedAs: string): void;
  expel(member: Pick<Member, 'provider'>): void;
  /** The broker's URL with the provider's login, for its registration only; '' where providers have no users of their own. */
  accessOf(provider: ProviderId, joinedAs: string): BrokerOffer;
  /** May this user of the broker publish for the provider? Null: the message has no user-id. */
  speaksFor(user: string | null, provider: ProviderId): boolean;
  close(): void;
}

const nothing = (): void => undefined;

/** Users of the broker are then up to whoever runs it. */
export const noBrokerAccounts: BrokerAccounts = {
  admit: nothing,
  expel: nothing,
  accessOf: () => ({ url: '', ca: '' }),
  speaksFor: () => true,
  close: nothing,
};

export interface BrokerAccountsOptions {
  readonly amqpUrl: string | null;
  readonly amqpAdminUrl: string | null;
  readonly amqpPublicUrl: string | null;
  readonly amqpTls: BrokerTls;
  /** Providers then get no passwords, because nothing is encrypted. */
  readonly insecure: boolean;
  readonly logger: Logger;
}

export interface BrokerAccountsPorts {
  /** The head's secret key, Z85. */
  readonly secretKey: string;
  readonly roster: Roster;
}

/**
 * Prepares the broker's virtual host; if the broker does not answer, that is logged and left out. Throws BACKBONE_REFUSED for an address
 * that cannot be used.
 */
export async function openBrokerAccounts(
  { amqpUrl, amqpAdminUrl, amqpPublicUrl, amqpTls: tls, insecure, logger }: BrokerAccountsOptions,
  { secretKey, roster }: BrokerAccountsPorts,
): Promise<BrokerAccounts> {
  if (amqpUrl === null || amqpAdminUrl === null || insecure) return noBrokerAccounts;
  const accounts = new ProviderAccounts({ adminUrl: amqpAdminUrl, amqpUrl, publicUrl: amqpPublicUrl, tls, logger });
  await accounts.prepare().catch((error: unknown) => {
    if (!isMusterError(error)) throw error;
    logger.warn({ why: error.why }, error.message);
  });
  // Removals that an earlier epoch may not have completed.
  for (const provider of withoutMember(roster)) accounts.expel(provider);
  const ca = (tls.ca ?? '').length > limits.brokerCaBytesMax.value ? '' : (tls.ca ?? '');
  const passwordOf = (provider: ProviderId, joinedAs: string): string => derived(secretKey, `${provider} ${joinedAs}`);
  return {
    admit: (provider, joinedAs) => accounts.admit(provider, passwordOf(provider, joinedAs)),
    expel: ({ provider }) => isProviderId(provider) && accounts.expel(provider),
    accessOf: (provider, joinedAs) => ({ url: accounts.urlFor(provider, passwordOf(provider, joinedAs)), ca }),
    speaksFor: (user, provider) => accounts.speaksFor(user, provider),
    close: () => accounts.close(),
  };
}

/** Providers that were revoked and have not joined again. */
function withoutMember({ members }: Roster): Set<ProviderId> {
  const here = new Set(members.filter(({ state }) => state !== 'revoked').map(({ provider }) => provider));
  const gone = members.filter(({ provider }) => !here.has(provider)).map(({ provider }) => provider);
  return new Set(gone.filter(isProviderId));
}

const derived = (secretKey: string, purpose: string): string => {
  const key = hkdfSync('sha256', decodeZ85(secretKey) ?? '', '', `muster broker user 1 ${purpose}`, 24);
  return Buffer.from(key).toString('base64url');
};
