/** Registers with the head, serves a session until it breaks, and registers again, for as long as the provider runs. */
import {
  deferred,
  isMusterError,
  MusterError,
  PROTOCOL_VERSION,
  within,
  type Envelope,
  type Fields,
  type ProviderId,
} from '@muster/shared';
import {
  RequestClient,
  blockPath,
  expectType,
  incomingPath,
  provesShared,
  routeToHead,
  sameRoute,
  type BlockStore,
  type HeadRoute,
} from '@muster/shared/io';
import { Request } from 'zeromq';
import type { Compute } from './compute/index.ts';
import { offer } from './core/handle.ts';
import type { Driver, SessionStore } from './driver.ts';
import type { GivenBroker } from './io/given-broker.ts';
import { HeadLink } from './io/head-link.ts';
import type { ResolvedProviderNodeOptions } from './options.ts';

/** Leases that the head may have open with us. */
const CREDIT = 16;
const HELLO_MS = 5000;
const RETRY_MS = 300;
/** Refusals are retried too: an admin may approve the key, or the right head may come back at this address. */
const REFUSED_RETRY_MS = 2000;
/** How long a provider that was told to stop waits for its last results to leave. */
const LEAVE_MS = 2000;

export interface MembershipParts {
  readonly options: ResolvedProviderNodeOptions;
  readonly id: ProviderId;
  readonly compute: Compute;
  readonly driver: Driver;
  readonly blocks: BlockStore;
  readonly broker: Pick<GivenBroker, 'offered'>;
}

interface Session {
  readonly link: HeadLink;
  /** Ends the session; the first reason counts. */
  readonly end: (reason: string) => void;
}

export class SessionLoop {
  /** Resolves at the first successful registration. Rejects with VERSION_MISMATCH; other refusals are tried again. */
  readonly joined: Promise<void>;
  readonly #parts: MembershipParts;
  /** The client that registers us with the head, and the route that it uses. */
  #registration: { readonly client: RequestClient; readonly route: HeadRoute } | null = null;
  readonly #first = deferred<void>();
  readonly #running: Promise<void>;
  readonly #left = deferred<void>();
  #session: Session | null = null;
  #leaving = false;
  #complained = false;
  /** Bandwidth from the head to here, measured in this session or an earlier one; 0 when unknown. */
  #linkBytesPerMs = 0;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.joined = this.#first.promise;
    this.joined.catch(() => undefined);
    this.#running = this.#run();
  }

  /** Hands unfinished leases back, after giving finished results up to LEAVE_MS to be sent. */
  async leave(): Promise<void> {
    this.#leaving = true;
    this.#left.resolve();
    const { driver } = this.#parts;
    const handBack = driver.unfinished();
    driver.post({ type: 'stop' });
    if (this.#session !== null) {
      const { link, end } = this.#session;
      await link.flush(LEAVE_MS);
      await this.#registration?.client.ask('bye', { session: link.session, handBack }).catch(() => undefined);
      end('leaving');
    }
    await this.#running;
    this.#registration?.client.close();
  }

  async #run(): Promise<void> {
    const { options } = this.#parts;
    while (!this.#leaving) {
      try {
        const reason = await this.#serve();
        if (!this.#leaving) options.onStatus(`lost the head: ${reason}; joining again`);
      } catch (error) {
        if (isMusterError(error) && error.code === 'VERSION_MISMATCH') return this.#first.reject(error);
        this.#complain(error);
        const pauseMs = isKeyTrouble(error) ? REFUSED_RETRY_MS : RETRY_MS;
        await Promise.race([this.#left.promise, new Promise((resolve) => setTimeout(resolve, pauseMs))]);
      }
    }
  }

  /** Shown to people once per outage, logged every time. */
  #complain(error: unknown): void {
    const { options } = this.#parts;
    const why = isMusterError(error) ? `${error.message}: ${error.why}` : String(error);
    options.logger.debug({ why }, 'could not join');
    const fix = isKeyTrouble(error) ? `\n  fix: ${error.fix}` : '';
    if (!this.#complained) options.onStatus(`cannot join yet, trying on (${why})${fix}`);
    this.#complained = true;
  }

  /** One session from registration to its end. Resolves to the reason why it ended. */
  async #serve(): Promise<string> {
    const { options, driver, blocks, broker } = this.#parts;
    const introduction = this.#introduction();
    const { client, route } = this.#openRegistration();
    const registered = expectType(await client.ask('register', introduction), 'registered');
    // `leave` may have been called meanwhile and found no session to end.
    if (this.#leaving) return this.#decline(client, registered);
    broker.offered(registered.broker, options.head);
    const store = this.#sharedStore(registered);
    const [hello, over] = [deferred<string>(), deferred<string>()];
    const onMessage = (envelope: Envelope): void =>
      envelope.message.type === 'hello' ? hello.resolve(envelope.message.nonce) : driver.receive(envelope);
    const link = new HeadLink({
      route,
      registered,
      blocks,
      logger: options.logger,
      onMessage,
      onBroken: over.resolve,
    });
    this.#session = { link, end: over.resolve };
    try {
      driver.attach(link, store ?? blocks);
      const nonce = await within(
        Promise.race([hello.promise, over.promise.then(endedEarly)]),
        HELLO_MS,
        () => new MusterError('HEAD_UNREACHABLE', 'the head did not greet us on our topic'),
      );
      // Before `ready`: the first lease may overtake its answer.
      driver.post({
        type: 'registered',
        session: link.session,
        epoch: registered.epoch,
        keep: registered.keep,
        refused: refusedOf(introduction, registered),
        firstLease: registered.firstLease,
        sharesStore: store !== null,
        missing: driver.missing(),
      });
      expectType(await client.ask('ready', { session: link.session, nonce, sharesStore: store !== null }), 'ok');
      this.#welcome(store !== null);
      if (store === null) void this.#measureLink(link);
      return await this.#untilOver(over.promise, registered.heartbeatMs);
    } finally {
      this.#session = null;
      link.close();
      driver.detach();
    }
  }

  /** The route may differ from that of the last attempt: the head was not there yet, or this machine has joined it meanwhile. */
  #openRegistration(): { readonly client: RequestClient; readonly route: HeadRoute } {
    const { head, portBase, blocks, membership } = this.#parts.options;
    const route = routeToHead({ endpoint: { host: head, portBase }, wire: blocks === 'wire', membership });
    if (this.#registration !== null && !this.#registration.client.refused && sameRoute(this.#registration.route, route))
      return this.#registration;
    this.#registration?.client.close();
    return (this.#registration = { route, client: new RequestClient(Request, route, 'registration') });
  }

  async #decline(client: RequestClient, { session }: Fields<'registered'>): Promise<string> {
    await client.ask('bye', { session, handBack: [] });
    return 'leaving';
  }

  #welcome(sharesStore: boolean): void {
    const { head, portBase, onStatus } = this.#parts.options;
    this.#first.resolve();
    this.#complained = false;
    onStatus(`joined ${head}:${portBase}${sharesStore ? ', sharing its store' : ''}`);
  }

  #introduction(): Fields<'register'> {
    const { id, options, compute, driver } = this.#parts;
    const platform = `${process.platform}-${process.arch}`;
    return {
      version: PROTOCOL_VERSION,
      provider: id,
      name: options.name,
      platform,
      device: compute.device,
      credit: CREDIT,
      held: offer(driver.state),
    };
  }

  #sharedStore({ store }: Fields<'registered'>): SessionStore | null {
    if (this.#parts.options.blocks === 'wire' || !provesShared(store)) return null;
    return {
      pathOf: (block) => blockPath(store.directory, block),
      incomingPath: (name) => incomingPath(store.directory, name),
    };
  }

  /** Heartbeats have a timer of their own, independent of compute. */
  async #untilOver(over: Promise<string>, everyMs: number): Promise<string> {
    const timer = setInterval(() => void this.#beat(), everyMs);
    return over.finally(() => clearInterval(timer));
  }

  /**
   * Probes once, in the background: many providers that return at once must not keep the link from its work. Beats at the end, so that
   * the head learns the rate at once.
   */
  async #measureLink({ fetcher }: HeadLink): Promise<void> {
    if (this.#linkBytesPerMs === 0) await fetcher.probe().catch(() => undefined);
    await this.#beat();
  }

  async #beat(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    const { state, computedMs } = this.#parts.driver;
    const { bytesPerMs } = session.link.fetcher;
    if (bytesPerMs > 0) this.#linkBytesPerMs = bytesPerMs;
    const reason = await session.link.beat({
      running: [...state.held.keys()].slice(0, 64),
      computedMs,
      linkBytesPerMs: this.#linkBytesPerMs,
    });
    if (reason !== null) session.end(reason);
  }
}

const refusedOf = ({ held }: Fields<'register'>, { keep }: Fields<'registered'>): number[] =>
  held.map(({ lease }) => lease).filter((lease) => !keep.includes(lease));

function isKeyTrouble(error: unknown): error is MusterError {
  return isMusterError(error) && ['UNAUTHORIZED', 'FORBIDDEN', 'WRONG_HEAD'].includes(error.code);
}

function endedEarly(reason: string): never {
  throw new MusterError('HEAD_UNREACHABLE', 'the session ended before it began', { why: reason });
}
