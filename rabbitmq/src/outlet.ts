import type { Clock, Logger } from '@muster/shared';
import type { BrokerAccess } from './broker-access.ts';
import { Declarations } from './declarations.ts';
import { Lane } from './lane.ts';
import { Link } from './link.ts';
import type { OutboxLimits } from './outbox.ts';
import { Publisher } from './publisher.ts';
import type { QueueSpec, BrokerRole } from './topology.ts';
import type { Watermarks } from './watermarks.ts';

export interface OutletOptions {
  readonly broker: BrokerAccess;
  readonly role: BrokerRole;
  readonly name: string;
  readonly limits: OutboxLimits;
  readonly watermarks: Watermarks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onChange: () => void;
}

/** A publishing connection with its outbox; the head also declares queues over it. */
export class Outlet {
  readonly lane: Lane;
  readonly link: Link;
  readonly publisher: Publisher;
  readonly #declarations: Declarations | undefined;

  constructor(options: OutletOptions) {
    const { broker, role, name, onChange } = options;
    this.lane = new Lane(options.limits, options.watermarks, options.clock);
    const declarations = role === 'head' ? new Declarations(this.lane, options.logger) : undefined;
    this.#declarations = declarations;
    const setup = declarations && { setup: declarations.assertAll.bind(declarations) };
    this.link = new Link({ broker, name, ...setup });
    this.link.onChange(() => this.#onLink(onChange));
    const { user } = broker;
    this.publisher = new Publisher({ link: this.link, lane: this.lane, name, role, user, onChange });
  }

  want(queue: QueueSpec): void {
    this.#declarations?.want(queue);
  }

  discard(queue: QueueSpec, onDeleted?: () => void): void {
    this.#declarations?.discard(queue, onDeleted);
  }

  /** Resolves when nothing is left to be sent or deleted. */
  async idle(): Promise<void> {
    await this.lane.emptied();
    await this.#declarations?.cleared();
  }

  async close(): Promise<void> {
    await this.publisher.close();
    await this.link.close();
    this.#declarations?.disconnected();
  }

  #onLink(onChange: () => void): void {
    if (this.link.state !== 'up') this.#declarations?.disconnected();
    onChange();
  }
}
