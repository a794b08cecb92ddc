/** The broker's user of one provider, and what it may do, as data. */
import type { ProviderId } from '@muster/shared';

/** Regular expressions over names, as RabbitMQ has them; what none of them names is refused. */
export interface Rights {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export const headRights: Rights = { configure: '.*', write: '.*', read: '.*' };

/**
 * It takes from its own queue, reads the operands of tasks, and publishes to the exchange of results; it declares nothing, and sees no
 * other queue. Whose result a message is, the head sees by the user that the broker has checked. An id has no character that means
 * anything in a regular expression.
 */
export const providerRights = (provider: ProviderId): Rights => ({
  configure: '^$',
  write: '^muster\\.results$',
  read: `^p\\.${provider}\\.tasks$|^t\\..*\\.blocks$`,
});

const PREFIX = 'provider.';

/** Users belong to the whole broker, not to a virtual host: its name keeps those of several clusters apart. */
export const providerUser = (provider: ProviderId, vhost: string): string => `${PREFIX}${provider}@${vhost}`;

/**
 * May the user that published a result speak for this provider? Each has a user of its own, and only speaks for itself; a user that is of
 * no provider was made by whoever runs the broker, and is trusted. Nobody says nothing: a provider could leave its name out.
 */
export const speaksFor = (user: string | null, provider: ProviderId, vhost: string): boolean =>
  user !== null && (user === providerUser(provider, vhost) || !user.startsWith(PREFIX));
