/** Multicast DNS: lets heads be found on the local network. announcement.ts says how far to trust what is found. */
import type Bonjour from 'bonjour-service';
import { isIP } from 'node:net';
import { deferred } from '../deferred.ts';
import { MusterError } from '../errors.ts';
import { announcementText, readSighting, type Announced, type FoundHead } from '../trust/announcement.ts';
import { fingerprintOf } from '../trust/keys.ts';

/** Default: the system's interfaces and the port of mDNS. Tests take others, so as not to speak to a real network. */
export interface MdnsOptions {
  /** Address of the interface. */
  readonly interface?: string;
  readonly port?: number;
}

const SERVICE = 'muster';
const ASK_AGAIN_MS = 500;
/** More announcements than this are a flood, not clusters. */
const HEADS_MAX = 64;

/** Resolves to a function that withdraws the announcement. Later errors go to `onError` only: a head works without being found. */
export async function announce(
  head: Announced & { readonly portBase: number },
  onError: (error: Error) => void,
  options: MdnsOptions = {},
): Promise<() => Promise<void>> {
  const bonjour = await open(options, onError);
  const name = `muster-${head.cluster}-${fingerprintOf(head.headKey)}`;
  // The name contains the key's fingerprint, so it is unique and needs no probing.
  bonjour.publish({
    name,
    type: SERVICE,
    port: head.portBase,
    host: `${name}.local`,
    txt: announcementText(head),
    probe: false,
  });
  return () => new Promise((resolve) => bonjour.unpublishAll(() => bonjour.destroy(resolve)));
}

export interface Look {
  readonly withinMs: number;
  /** Ends the search early when true. Default: never. */
  readonly until?: (head: FoundHead) => boolean;
}

/**
 * Heads that announce themselves, in the order in which they are seen. Rejects with HEAD_UNREACHABLE when the network cannot be searched.
 */
export async function discoverHeads(
  { withinMs, until = () => false }: Look,
  options: MdnsOptions = {},
): Promise<FoundHead[]> {
  const found = new Map<string, FoundHead>();
  const over = deferred<void>();
  over.promise.catch(() => undefined);
  const bonjour = await open(options, (error) => over.reject(silent(error)));
  const browser = bonjour.find({ type: SERVICE });
  const see = ({ txt, port, referer }: Seen): void => {
    const head = readSighting({ text: txt ?? {}, port, from: referer?.address ?? '' }, (host) => isIP(host) !== 0);
    if (head === null || found.size >= HEADS_MAX) return;
    found.set(`${head.fingerprint} ${head.endpoints[0]?.host}`, head);
    if (until(head)) over.resolve();
  };
  browser.on('up', see).on('txt-update', see).on('srv-update', see);
  const asking = setInterval(() => browser.update(), ASK_AGAIN_MS);
  const patience = setTimeout(() => over.resolve(), withinMs);
  try {
    await over.promise;
  } finally {
    clearInterval(asking);
    clearTimeout(patience);
    browser.stop();
    await new Promise<void>((resolve) => bonjour.destroy(resolve));
  }
  return [...found.values()];
}

/** The part of a service record that is read; none of it is authenticated. */
interface Seen {
  readonly txt?: Readonly<Record<string, unknown>>;
  readonly port: number;
  readonly referer?: { readonly address: string };
}

const silent = (cause: Error): MusterError =>
  new MusterError('HEAD_UNREACHABLE', 'the local network cannot be searched', {
    why: cause.message,
    fix: 'give the address of the head: provider-node --head HOST join TOKEN',
    cause,
  });

/** Imported lazily: clients never need it. */
async function open(options: MdnsOptions, onError: (error: Error) => void): Promise<Bonjour> {
  const { default: Service } = await import('bonjour-service');
  // A socket bound to the interface's own address would not receive multicasts.
  const bound = options.interface === undefined ? {} : { bind: '0.0.0.0' };
  const bonjour = new Service({ ...options, ...bound }, onError);
  // The library does not expose its socket, and an 'error' event without a listener would end the process.
  const { mdns } = (bonjour as unknown as { server: { mdns: NodeJS.EventEmitter } }).server;
  mdns.on('error', onError);
  return bonjour;
}
