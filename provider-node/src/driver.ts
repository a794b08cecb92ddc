/** The one interpreter of the provider's effects: fetches, computes, sends; every completion goes back in as an event. */
import {
  encode,
  limits,
  MusterError,
  taskTypeNamed,
  tileWork,
  toWireError,
  type BlockId,
  type Clock,
  type Envelope,
  type Fields,
  type Logger,
  type SessionId,
  type TileWork,
} from '@muster/shared';
import { incomingResultName, type BlockStore } from '@muster/shared/io';
import { readFileSync, rmSync } from 'node:fs';
import type { Compute } from './compute/index.ts';
import type { ProviderEffect } from './core/effects.ts';
import type { ProviderEvent } from './core/events.ts';
import { handle } from './core/handle.ts';
import type { HeldWork, ProviderState } from './core/provider-state.ts';
import type { HeadLink } from './io/head-link.ts';

export interface DriverPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly compute: Compute;
  /** Where operands and unsent results lie when the head's store is out of reach. */
  readonly blocks: BlockStore;
}

/** The store that a session reads operands from and writes results to: the head's own, or ours. */
export interface SessionStore {
  pathOf(id: BlockId): string;
  incomingPath(name: string): string;
}

/** Compute that nobody wants any more is left to end by itself for this long, then killed. */
const ABORT_AFTER_MS = 1000;

export class Driver {
  readonly state: ProviderState;
  readonly #ports: DriverPorts;
  #link: HeadLink | null = null;
  #store: SessionStore;
  #aborting: NodeJS.Timeout | undefined;
  computedMs = 0;

  constructor(state: ProviderState, ports: DriverPorts) {
    this.state = state;
    this.#ports = ports;
    this.#store = ports.blocks;
  }

  attach(link: HeadLink, store: SessionStore): void {
    this.#link = link;
    this.#store = store;
  }

  detach(): void {
    this.#link = null;
    this.post({ type: 'disconnected' });
  }

  /** Leases without a result. */
  unfinished(): number[] {
    return [...this.state.held.values()].filter(({ phase }) => phase !== 'returned').map(({ lease }) => lease);
  }

  post(event: ProviderEvent): void {
    for (const effect of handle(this.state, event, this.#ports.clock.nowMs())) this.#perform(effect);
  }

  /** A message on the session's topic or on a task's. */
  receive({ message, payload }: Envelope): void {
    switch (message.type) {
      case 'lease':
        return this.#leased(message, payload);
      case 'settled':
      case 'revoke':
        return this.post({ type: message.type === 'settled' ? 'settled' : 'revoked', leases: message.leases });
      case 'open':
        return this.#link?.listenTo(message.task);
      case 'block':
        return this.#keepShared(message, payload);
      case 'closed':
        return this.#link?.stopListening(message.task);
      default:
        this.#ports.logger.warn({ type: message.type }, 'a message came on the wrong channel');
    }
  }

  /** Whether this session's operands and results stay in the head's own store is decided when it is attached. */
  get #sharesStore(): boolean {
    return this.#store !== this.#ports.blocks;
  }

  #leased({ task, lease, taskType, ranges, work }: Fields<'lease'>, payload: Uint8Array | null): void {
    const inline = taskTypeNamed(taskType).runs === 'inline';
    const checked = inline ? { work, blocks: [] } : checkedTile(work);
    this.post({ type: 'leased', task, lease, taskType, ranges, payload, inline, ...checked });
  }

  #keepShared({ block, offset, total }: Fields<'block'>, bytes: Uint8Array | null): void {
    const { blocks } = this.#ports;
    if (bytes !== null && !this.#sharesStore && !blocks.has(block)) blocks.receive({ id: block, offset, total, bytes });
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
        return this.#link?.push([encode('failed', { session: effect.session, task, lease, error: effect.error })]);
      }
      case 'abort-soon':
        return this.#abortSoon(effect.lease);
      case 'release':
        return this.#release(effect.held);
    }
  }

  async #fetch({ lease, blocks }: HeldWork): Promise<void> {
    try {
      if (!this.#sharesStore) await this.#fetchBlocks(blocks);
      this.post({ type: 'fetched', lease });
    } catch (error) {
      this.post({ type: 'fetch-failed', lease, error: toWireError(error) });
    }
  }

  /** Pinned before they are fetched, so that one lease's operands do not push out another's. */
  async #fetchBlocks(ids: readonly BlockId[]): Promise<void> {
    for (const id of ids) this.#ports.blocks.pin(id);
    if (this.#link === null) throw new MusterError('HEAD_UNREACHABLE', 'the connection to the head was lost');
    await this.#link.fetcher.fetch(ids);
  }

  async #compute({ lease, task, work }: HeldWork): Promise<void> {
    const tile = work as TileWork;
    const pathOf = (id: BlockId): string => this.#store.pathOf(id);
    try {
      const out = this.#store.incomingPath(incomingResultName(task, lease));
      const done = await this.#ports.compute.multiply({
        work: tile,
        aPaths: tile.a.map(pathOf),
        bPaths: tile.b.map(pathOf),
        out,
      });
      this.computedMs += done.computeMs;
      this.post({ type: 'computed', lease, bytes: done.bytes, computeMs: done.computeMs });
    } catch (error) {
      const wire = toWireError(error);
      this.post({ type: 'compute-failed', lease, aborted: wire.why === 'aborted', error: wire });
    }
  }

  #sendResult(session: SessionId, { task, lease, payload, fetchMs, result, taskType }: HeldWork): void {
    const inline = taskTypeNamed(taskType).runs === 'inline';
    const path = !inline && this.#sharesStore ? incomingResultName(task, lease) : '';
    if (!inline && path === '') this.#sendBytes(session, { task, lease });
    const fields = {
      session,
      task,
      lease,
      bytes: result?.bytes ?? 0,
      path,
      computeMs: result?.computeMs ?? 0,
      fetchMs,
    };
    const frame = encode('result', fields);
    this.#link?.push(inline && payload !== null ? [frame, payload] : [frame]);
  }

  #sendBytes(session: SessionId, { task, lease }: Pick<HeldWork, 'task' | 'lease'>): void {
    const bytes = readFileSync(this.#store.incomingPath(incomingResultName(task, lease)));
    for (let offset = 0; offset < bytes.length; offset += limits.chunkBytesMax.value) {
      const head = encode('resultChunk', { session, task, lease, offset, total: bytes.length });
      this.#link?.push([head, bytes.subarray(offset, offset + limits.chunkBytesMax.value)]);
    }
  }

  /** The head takes care of files in its own store; ours go with their lease. */
  #release({ task, lease, blocks, phase }: HeldWork): void {
    if (this.#sharesStore || blocks.length === 0) return;
    for (const id of blocks) this.#ports.blocks.unpin(id);
    if (phase === 'returned') rmSync(this.#store.incomingPath(incomingResultName(task, lease)), { force: true });
  }

  #abortSoon(lease: number): void {
    if (this.#aborting !== undefined) return;
    this.#aborting = setTimeout(() => {
      this.#aborting = undefined;
      if (this.state.held.get(lease)?.phase === 'computing') void this.#ports.compute.abort();
    }, ABORT_AFTER_MS).unref();
  }
}

function checkedTile(work: unknown): { work: TileWork; blocks: BlockId[] } {
  const tile = tileWork.parse(work);
  return { work: tile, blocks: [...new Set([...tile.a, ...tile.b])] };
}
