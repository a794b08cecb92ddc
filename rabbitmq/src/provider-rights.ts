/** The broker user of a provider, and its permissions, as data. */
import type { ProviderId } from '@muster/shared';

/** Regular expressions over resource names, as in RabbitMQ's permissions; a name that does not match is refused. */
export interface Rights {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export const headRights: Rights = { configure: '.*', write: '.*', read: '.*' };

/**
 * A provider consumes its own queue, reads the operand streams of tasks and publishes to the results exchange; it declares nothing and sees
 * no other queue. The head attributes a result by the user-id that the broker has validated. Ids are hex, so they need no escaping in a
 * regular expression.
 */
export const providerRights = (provider: ProviderId): Rights => ({
  configure: '^$',
  write: '^muster\\.results$',
  read: `^p\\.${provider}\\.tasks$|^t\\..*\\.blocks$`,
});

const PREFIX = 'provider.';

/** Users are global to the broker: the virtual host's name keeps those of several clusters apart. */
export const providerUser = (provider: ProviderId, vhost: string): string => `${PREFIX}${provider}@${vhost}`;

/**
 * May the user that published a result speak for this provider? Each provider has its own user, which speaks only for itself; a user
 * without the provider prefix was created by the broker's operator and is trusted. A missing user-id is refused: a provider could omit it.
 */
export const speaksFor = (user: string | null, provider: ProviderId, vhost: string): boolean =>
  user !== null && (user === providerUser(provider, vhost) || !user.startsWith(PREFIX));
