/**
 * The broker that the user of this machine names, else the one that the head offers at registration, with an account for each provider.
 * The offer is stored, so that a provider can also start while the head is away.
 */
import {
  brokerOffer,
  isMusterError,
  type BlockId,
  type BrokerOffer,
  type Logger,
  type ProviderId,
  type TaskId,
} from '@muster/shared';
import { expectBrokerUsable, openBackbone, reachableFrom, type BrokerTls } from '@muster/rabbitmq';
import { parsePrivate, readPrivateFile, removeFile, writePrivateFile, type BlockStore } from '@muster/shared/io';
import { join } from 'node:path';
import type { HeldWork } from '../core/provider-state.ts';
import { noBroker, RabbitLink, type BrokeredLease, type BrokerLink, type ResultWay } from './broker-link.ts';

export interface GivenBrokerOptions {
  readonly stateDirectory: string;
  /** Given by the user, and then the head's offers are ignored; null: use what the head offers. */
  readonly amqpUrl: string | null;
  /** Given by the user; takes precedence over what the head hands out. */
  readonly amqpTls: BrokerTls;
  readonly name: string;
  readonly logger: Logger;
  readonly onStatus: (line: string) => void;
}

export interface GivenBrokerPorts {
  readonly provider: ProviderId;
  readonly blocks: BlockStore;
  /** A link to the broker at this address. Default: a real one. */
  readonly open?: (url: string, tls: BrokerTls) => BrokerLink;
}

const fileIn = (stateDirectory: string): string => join(stateDirectory, 'broker.json');

/** For a provider that joins another cluster: the stored broker belongs to the previous one. */
export const forgetBroker = (stateDirectory: string): void => void removeFile(fileIn(stateDirectory));

const NONE: BrokerOffer = { url: '', ca: '' };

export class GivenBroker implements BrokerLink {
  readonly #options: GivenBrokerOptions;
  readonly #open: (url: string, tls: BrokerTls) => BrokerLink;
  readonly #file: string;
  #link: BrokerLink = noBroker;
  #offer: BrokerOffer = NONE;
  #onLease: (brokered: BrokeredLease) => boolean = () => false;

  constructor(options: GivenBrokerOptions, ports: GivenBrokerPorts) {
    this.#options = options;
    this.#open = ports.open ?? rabbitLinks(options, ports);
    this.#file = fileIn(options.stateDirectory);
    if (options.amqpUrl !== null) this.#link = this.#open(options.amqpUrl, options.amqpTls);
    else this.#use(this.#remembered());
  }

  /** Takes the offer from the answer to a registration; `head` is the host that answered. An unchanged offer has no effect. */
  offered({ url, ca }: BrokerOffer, head: string): void {
    if (this.#options.amqpUrl !== null) return;
    const offer = url === '' ? NONE : { url: reachableFrom(url, head), ca };
    if (offer.url === this.#offer.url && offer.ca === this.#offer.ca) return;
    const before = this.#link;
    this.#use(offer);
    this.#link.listen(this.#onLease);
    void before.close();
    if (offer === NONE) removeFile(this.#file);
    else writePrivateFile(this.#file, `${JSON.stringify(offer)}\n`);
  }

  listen(onLease: (brokered: BrokeredLease) => boolean): void {
    this.#onLease = onLease;
    this.#link.listen(onLease);
  }

  deliver(held: HeldWork, way: ResultWay): void {
    this.#link.deliver(held, way);
  }

  release(lease: number): void {
    this.#link.release(lease);
  }

  fetch(task: TaskId, ids: readonly BlockId[], signal: AbortSignal): Promise<void> {
    return this.#link.fetch(task, ids, signal);
  }

  get isThere(): boolean {
    return this.#link.isThere;
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** A broker that cannot be used is reported and treated as none. */
  #use(offer: BrokerOffer): void {
    this.#offer = offer;
    this.#link = noBroker;
    if (offer.url === '') return;
    const tls = offer.ca === '' ? this.#options.amqpTls : { ca: offer.ca, ...this.#options.amqpTls };
    try {
      expectBrokerUsable({ url: offer.url, tls: this.#options.amqpTls });
      this.#link = this.#open(offer.url, tls);
    } catch (error) {
      if (!isMusterError(error)) throw error;
      this.#options.onStatus(`works without the broker of the head: ${error.message} (${error.why})`);
    }
  }

  #remembered(): BrokerOffer {
    const text = readPrivateFile(this.#file);
    return text === null ? NONE : parsePrivate({ path: this.#file, text, schema: brokerOffer });
  }
}

const rabbitLinks =
  ({ name, logger }: GivenBrokerOptions, { provider, blocks }: GivenBrokerPorts) =>
  (url: string, tls: BrokerTls): BrokerLink => {
    const backbone = openBackbone({ url, tls, role: 'provider', name: `muster provider ${name}`, logger });
    return new RabbitLink({ backbone, provider, blocks, logger });
  };
