/** The only interpreter of the provider's effects: fetches, computes, sends; every completion returns as an event. */
import {
  encode,
  limits,
  taskTypeNamed,
  toWireError,
  type BlockId,
  type Clock,
  type Envelope,
  type Fields,
  type Logger,
  type SessionId,
  type Stamp,
} from '@muster/shared';
import { incomingResultName, removeFile, type BlockStore } from '@muster/shared/io';
import { existsSync, readFileSync } from 'node:fs';
import type { Compute } from './compute/index.ts';
import type { ProviderEffect } from './core/effects.ts';
import type { ProviderEvent } from './core/events.ts';
import { handle } from './core/handle.ts';
import type { HeldWork, ProviderState } from './core/provider-state.ts';
import type { BrokeredLease, BrokerLink, ResultWay } from './io/broker-link.ts';
import type { HeadLink } from './io/head-link.ts';
import type { Spool } from './io/spool.ts';

export interface DriverPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compute: Compute;
  /** Holds operands and unsent results when the head's store is out of reach. */
  readonly blocks: BlockStore;
  readonly spool: Spool;
  readonly broker: BrokerLink;
}

/** The store that a session reads operands from and writes results to: the head's or ours. */
export interface SessionStore {
  pathOf(id: BlockId): string;
  incomingPath(name: string): string;
}

/**
 * A revoked computation may run on for this long, or for as long as a new process needs to start if that is longer, before it is killed:
 * killing it sooner costs more than it saves, and on a busy machine nodes would do nothing but restart processes.
 */
const ABORT_AFTER_MS = 1000;

export class Driver {
  readonly state: ProviderState;
  readonly #ports: DriverPorts;
  #link: HeadLink | null = null;
  /** Aborted when a head attaches: blocks then come from it instead of the broker. */
  #away = new AbortController();
  #store: SessionStore;
  /** Leases whose blocks are pinned. */
  readonly #pinned = new Set<number>();
  /** In the order in which the compute process has them: the first one runs. */
  readonly #computing = new Set<number>();
  computedMs = 0;

  constructor(state: ProviderState, ports: DriverPorts) {
    this.state = state;
    this.#ports = ports;
    this.#store = ports.blocks;
  }

  attach(link: HeadLink, store: SessionStore): void {
    this.#link = link;
    this.#store = store;
    this.#away.abort();
  }

  detach(): void {
    this.#link = null;
    this.#away = new AbortController();
    this.post({ type: 'disconnected' });
  }

  /** Leases whose result files are gone, removed by the head or lost with a disk. */
  missing(): number[] {
    return [...this.state.held.values()].filter(isGone).map(({ lease }) => lease);
  }

  /** Leases without a result. */
  unfinished(): number[] {
    return [...this.state.held.values()].filter(({ phase }) => phase !== 'returned').map(({ lease }) => lease);
  }

  post(event: ProviderEvent): void {
    for (const effect of handle(this.state, event, this.#ports.clock.nowMs())) this.#attempt(effect);
  }

  /** Returns whether the lease is held now; if not, its copy is of no use. */
  brokered({ lease, payload, epoch, again }: BrokeredLease): boolean {
    this.#leased(lease, payload, { broker: true, epoch, again });
    return this.state.held.has(lease.lease);
  }

  /** A message on the session's topic or on a task's. */
  receive({ message, payload }: Envelope): void {
    switch (message.type) {
      case 'lease':
        return this.#leased(message, payload, { broker: false });
      case 'settled':
      case 'revoke':
        return this.post({ type: message.type === 'settled' ? 'settled' : 'revoked', leases: message.leases });
      case 'open':
        return this.#link?.listenTo(message.task, message.topicKey);
      case 'block':
        return this.#keepShared(message, payload);
      case 'closed':
        return this.#link?.stopListening(message.task);
      default:
        this.#ports.logger.warn({ type: message.type }, 'a message came on the wrong channel');
    }
  }

  /** Whether this session's operands and results stay in the head's store; decided by `attach`. */
  get #sharesStore(): boolean {
    return this.#store !== this.#ports.blocks;
  }

  /** For messages straight to the head. Those by the broker carry the epoch of their lease instead. */
  get #stamp(): Stamp {
    return { epoch: this.state.epoch, seq: 0 };
  }

  #leased(
    { task, lease, attempt, taskType, ranges, work, mirrored }: Fields<'lease'>,
    payload: Uint8Array | null,
    via: (ProviderEvent & { type: 'leased' })['via'],
  ): void {
    const type = taskTypeNamed(taskType);
    const inline = type.runs === 'inline';
    const read = type.readWork(work);
    this.post({ type: 'leased', via, task, lease, attempt, taskType, ranges, payload, inline, mirrored, ...read });
  }

  #keepShared({ block, offset, total }: Fields<'block'>, bytes: Uint8Array | null): void {
    const { blocks } = this.#ports;
    if (bytes !== null && !this.#sharesStore && !blocks.has(block)) blocks.receive({ id: block, offset, total, bytes });
  }

  /** A full disk or a locked file must not stop the effects that follow. */
  #attempt(effect: ProviderEffect): void {
    try {
      this.#perform(effect);
    } catch (error) {
      this.#ports.logger.warn({ error, effect: effect.type }, 'something could not be done');
    }
  }

  #perform(effect: ProviderEffect): void {
    switch (effect.type) {
      case 'fetch':
        return void this.#fetch(effect.held);
      case 'compute':
        return void this.#compute(effect.held);
      case 'answer':
      case 'send-result':
        return this.#sendResult(effect.session, effect.held);
      case 'send-failure': {
        const { task, lease } = effect.held;
        const { session, error } = effect;
        return this.#link?.push([encode('failed', { session, task, lease, error }, this.#stamp)]);
      }
      case 'abort-soon':
        return this.#abortSoon(effect.lease);
      case 'release':
        return this.#release(effect.held);
    }
  }

  async #fetch(held: HeldWork): Promise<void> {
    const { lease } = held;
    try {
      if (!this.#sharesStore) await this.#fetchBlocks(held);
      this.post({ type: 'fetched', lease });
    } catch (error) {
      this.post({ type: 'fetch-failed', lease, error: toWireError(error) });
    }
  }

  /** Pinned before they are fetched, so that the operands of one lease do not evict those of another. */
  async #fetchBlocks({ task, lease, blocks: ids }: HeldWork): Promise<void> {
    this.#pinned.add(lease);
    for (const id of ids) this.#ports.blocks.pin(id);
    while (!this.#allHere(ids)) {
      const link = this.#link;
      try {
        if (link !== null) await link.fetcher.fetch(ids);
        else await this.#ports.broker.fetch(task, ids, this.#away.signal);
      } catch (error) {
        // The head that was asked is gone, or one has come back: try again the other way.
        if (link === this.#link || !this.#ports.broker.isThere) throw error;
      }
    }
  }

  #allHere(ids: readonly BlockId[]): boolean {
    return ids.every((id) => this.#ports.blocks.has(id));
  }

  async #compute({ lease, task, taskType, work, blocks }: HeldWork): Promise<void> {
    const store = this.#store;
    const paths = blocks.map((id) => store.pathOf(id));
    const out = store.incomingPath(incomingResultName(task, lease));
    this.#computing.add(lease);
    try {
      const done = await this.#ports.compute.run({ task, taskType, work, paths, out });
      this.#computing.delete(lease);
      this.computedMs += done.computeMs;
      const wanted = this.state.held.get(lease)?.revoked === false;
      this.post({ type: 'computed', lease, result: { bytes: done.bytes, computeMs: done.computeMs, path: out } });
      if (!wanted) removeFile(out);
    } catch (error) {
      this.#computing.delete(lease);
      removeFile(out);
      const wire = toWireError(error);
      this.post({ type: 'compute-failed', lease, aborted: wire.why === 'aborted', error: wire });
    }
  }

  #sendResult(session: SessionId | null, held: HeldWork): void {
    const way = this.#wayOf(session, held);
    if (session !== null) this.#sendStraight(session, held, way);
    if (held.mirrored) this.#ports.broker.deliver(held, way);
    // Training shards are not spooled: a round does not wait for a node to come back.
    if (way !== 'inline' && !isOfRound(held)) this.#outlive(session, held);
  }

  /** Without a head the result cannot be settled soon, so it is spooled at once. */
  #outlive(session: SessionId | null, held: HeldWork): void {
    const { spool } = this.#ports;
    if (session === null) spool.put(held);
    else spool.putSoon(held);
  }

  /** Without a session, a result may also lie in the head's store, where an earlier process left it. */
  #wayOf(session: SessionId | null, { task, lease, result }: HeldWork): ResultWay {
    if (result === null || result.path === '') return 'inline';
    const name = incomingResultName(task, lease);
    if (this.#sharesStore && result.path === this.#store.incomingPath(name)) return 'store';
    if (session !== null) return 'wire';
    return result.path === this.#ports.blocks.incomingPath(name) ? 'stream' : 'store';
  }

  #sendStraight(session: SessionId, held: HeldWork, way: ResultWay): void {
    const { task, lease, payload, fetchMs, result } = held;
    const { bytes = 0, computeMs = 0 } = result ?? {};
    if (way === 'wire') this.#sendBytes(session, held);
    const path = way === 'store' ? incomingResultName(task, lease) : '';
    const frame = encode('result', { session, task, lease, bytes, path, computeMs, fetchMs }, this.#stamp);
    this.#link?.push(way === 'inline' && payload !== null ? [frame, payload] : [frame]);
  }

  #sendBytes(session: SessionId, { task, lease, result }: HeldWork): void {
    const bytes = readFileSync(result?.path ?? '');
    for (let offset = 0; offset < bytes.length; offset += limits.chunkBytesMax.value) {
      const head = encode('resultChunk', { session, task, lease, offset, total: bytes.length }, this.#stamp);
      this.#link?.push([head, bytes.subarray(offset, offset + limits.chunkBytesMax.value)]);
    }
  }

  /** By now the head has taken what it wants of the result: from its own store by renaming the file. */
  #release(held: HeldWork): void {
    const { task, lease, mirrored, blocks, result } = held;
    this.#ports.broker.release(lease);
    if (blocks.length === 0) return;
    if (this.#pinned.delete(lease)) for (const id of blocks) this.#ports.blocks.unpin(id);
    // Also when the result was lost and the work began again.
    this.#ports.spool.drop(lease);
    if (result === null) return;
    const name = incomingResultName(task, lease);
    const own = result.path === this.#ports.blocks.incomingPath(name);
    // Results of the next round have the same size, so the file is reused. Not if mirrored: the broker link may still read it.
    if (own && !mirrored && isOfRound(held)) this.#ports.blocks.recycleIncoming(name);
    else removeFile(result.path);
  }

  /** An abort kills whatever runs, so a lease that waits behind another is only checked again later. */
  #abortSoon(lease: number): void {
    const { compute } = this.#ports;
    setTimeout(
      () => {
        if (!this.#computing.has(lease)) return;
        const [running] = this.#computing;
        if (running === lease) void compute.abort();
        this.#abortSoon(lease);
      },
      Math.max(ABORT_AFTER_MS, compute.startMs),
    ).unref();
  }
}

const isOfRound = ({ taskType }: HeldWork): boolean => taskTypeNamed(taskType).rounds !== null;

const isGone = ({ result }: HeldWork): boolean => result !== null && result.path !== '' && !existsSync(result.path);
