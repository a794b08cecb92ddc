import { isMusterError, type Logger, type ProviderId } from '@muster/shared';
import { isLoopback } from '@muster/shared/io';
import { brokerAccess, type BrokerTls } from './broker-access.ts';
import { parseBrokerUrl } from './broker-url.ts';
import { Management } from './management.ts';
import { hashPassword } from './password-hash.ts';
import { headRights, providerRights, providerUser, speaksFor, type Rights } from './provider-rights.ts';

export interface ProviderAccountsOptions {
  /** `http://user:password@host:15672` of an account that may administer the broker. */
  readonly adminUrl: string;
  /** URL that the head itself connects with. */
  readonly amqpUrl: string;
  /** URL for providers if it differs from the head's: `amqps://host:5671`. */
  readonly publicUrl: string | null;
  readonly tls: BrokerTls;
  readonly logger: Logger;
  /** Pause between attempts while the broker is away; default 2000. */
  readonly retryMs?: number;
}

type DesiredUser = { readonly password: string } | 'none';

const RETRY_MS = 2000;

/**
 * One broker user per provider, created and removed in the background: requests are carried out in order and retried until they succeed. A
 * later request for a provider replaces an earlier one.
 */
export class ProviderAccounts {
  readonly #options: ProviderAccountsOptions;
  readonly #management: Management;
  readonly #vhost: string;
  readonly #desired = new Map<ProviderId, DesiredUser>();
  #working: Promise<void> | null = null;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ProviderAccountsOptions) {
    const { adminUrl, amqpUrl, publicUrl, tls } = options;
    this.#options = options;
    this.#management = new Management(adminUrl, tls);
    this.#vhost = vhostOf(amqpUrl);
    if (publicUrl !== null) parseBrokerUrl(publicUrl);
  }

  /**
   * Creates the virtual host and the head's own user, with all rights in it, if missing; what exists is left unchanged. Rejects with
   * BACKBONE_DOWN and BACKBONE_REFUSED.
   */
  async prepare(): Promise<void> {
    const vhost = this.#vhost;
    await this.#makeIfMissing(['vhosts', vhost], {});
    const { user, address } = brokerAccess(this.#options.amqpUrl, this.#options.tls);
    if (user === undefined) return;
    await this.#makeIfMissing(['users', user], account(address.password ?? user));
    await this.#makeIfMissing(['permissions', vhost, user], headRights);
  }

  /** Creates this provider's user, with this password and only its own rights, in the background. */
  admit(provider: ProviderId, password: string): void {
    this.#desire(provider, { password });
  }

  /** Removes its user and closes its connections, in the background. */
  expel(provider: ProviderId): void {
    this.#desire(provider, 'none');
  }

  /**
   * URL that the provider logs in with. If the head reaches the broker over loopback, so does this URL: the provider puts in the host that
   * it reaches the head by (`reachableFrom`).
   */
  urlFor(provider: ProviderId, password: string): string {
    const { amqpUrl, publicUrl } = this.#options;
    const url = new URL(publicUrl ?? amqpUrl);
    url.username = encodeURIComponent(providerUser(provider, this.#vhost));
    url.password = encodeURIComponent(password);
    url.pathname = `/${encodeURIComponent(this.#vhost)}`;
    return url.href;
  }

  speaksFor(user: string | null, provider: ProviderId): boolean {
    return speaksFor(user, provider, this.#vhost);
  }

  /** Pending removals are requested again when the head restarts, pending users when their provider registers. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #desire(provider: ProviderId, user: DesiredUser): void {
    this.#desired.delete(provider);
    this.#desired.set(provider, user);
    this.#work();
  }

  #work(): void {
    if (this.#closed || this.#working !== null || this.#retry !== undefined) return;
    this.#working = this.#workOff().finally(() => {
      this.#working = null;
      if (this.#desired.size > 0) this.#work();
    });
  }

  async #workOff(): Promise<void> {
    for (const [provider, user] of this.#desired) {
      try {
        await (user === 'none' ? this.#remove(provider) : this.#make(provider, user.password));
        if (this.#desired.get(provider) === user) this.#desired.delete(provider);
      } catch (error) {
        return this.#workSoon(error);
      }
    }
  }

  #workSoon(error: unknown): void {
    const why = isMusterError(error) ? `${error.message}: ${error.why}` : error;
    this.#options.logger.warn(
      { why, waiting: this.#desired.size },
      "providers' users of the broker wait to be changed",
    );
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#work();
    }, this.#options.retryMs ?? RETRY_MS).unref();
  }

  async #make(provider: ProviderId, password: string): Promise<void> {
    const user = providerUser(provider, this.#vhost);
    await this.#put(['users', user], account(password));
    await this.#put(['permissions', this.#vhost, user], providerRights(provider));
  }

  /** In this order, so that the provider cannot reconnect in between. */
  async #remove(provider: ProviderId): Promise<void> {
    const user = providerUser(provider, this.#vhost);
    await this.#management.ask({ method: 'DELETE', path: ['users', user] });
    await this.#management.ask({ method: 'DELETE', path: ['connections', 'username', user] });
  }

  async #makeIfMissing(path: readonly string[], body: object): Promise<void> {
    if ((await this.#management.ask({ method: 'GET', path })) === null) await this.#put(path, body);
  }

  async #put(path: readonly string[], body: object | Rights): Promise<void> {
    await this.#management.ask({ method: 'PUT', path, body });
  }
}

/** Only the hash travels. No tags ('') means no access to the management interface. */
const account = (password: string): object => ({
  password_hash: hashPassword(password),
  hashing_algorithm: 'rabbit_password_hashing_sha256',
  tags: '',
});

const vhostOf = (amqpUrl: string): string => decodeURIComponent(parseBrokerUrl(amqpUrl).vhost ?? '/');

/**
 * If the head reaches the broker over loopback, it cannot know by which name others reach its machine; a provider does, and puts in `head`,
 * the host that it reaches the head by. Unchanged if the URL has another host, or if the head is on this machine.
 */
export function reachableFrom(url: string, head: string): string {
  const found = new URL(url);
  if (!isLoopback(found.hostname.replaceAll(/[[\]]/g, '')) || isLoopback(head)) return url;
  found.hostname = head.includes(':') ? `[${head}]` : head;
  return found.href;
}
