import { isMusterError, Limiter, limits, MusterError, type TaskId, type TileNotice } from '@muster/shared';
import { chunkOffsets } from '../operands/put-block.ts';
import { nextTurn, type Transport } from '../transport.ts';
import { fetchPiece } from './fetch-result.ts';
import type { TaskResult } from './task-result.ts';

/** Tiles fetched over the socket at a time; their chunks share the client's window. */
const TILES_UNDER_WAY = 4;
/** A head that was restarted may announce a tile, lose it and compute it again. */
const MISSES_MAX = 5;

export interface IntakeOptions {
  readonly task: TaskId;
  /** Scope of the requests, so that they can be dropped. */
  readonly scope: string;
  readonly result: TaskResult;
  readonly placed: () => void;
  readonly failed: (error: unknown) => void;
}

/** Takes the tiles of one task from their announcement to the sink: each once, however often it is announced. */
export class TileIntake {
  readonly #transport: Transport;
  readonly #options: IntakeOptions;
  readonly #known = new Set<number>();
  readonly #misses = new Map<number, number>();
  readonly #waiting: TileNotice[] = [];
  readonly #underWay = new Limiter(TILES_UNDER_WAY);
  #draining = false;
  #stopped = false;
  #count = 0;

  constructor(transport: Transport, options: IntakeOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Number of tiles placed. */
  get placed(): number {
    return this.#count;
  }

  /** Whether a tile was announced but is not placed yet. */
  get busy(): boolean {
    return this.#count < this.#known.size;
  }

  announced(tiles: readonly TileNotice[]): void {
    for (const tile of tiles) {
      if (this.#known.has(tile.index)) continue;
      this.#known.add(tile.index);
      this.#waiting.push(tile);
    }
    if (!this.#draining) void this.#drain();
  }

  /** Places no more tiles. */
  stop(): void {
    this.#stopped = true;
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    for (let tile = this.#waiting.shift(); tile !== undefined && !this.#stopped; tile = this.#waiting.shift()) {
      await this.#underWay.enter();
      void this.#take(tile).finally(() => this.#underWay.leave());
      await nextTurn();
    }
    this.#draining = false;
  }

  async #take(tile: TileNotice): Promise<void> {
    try {
      const bytes = checkedBytes(tile, this.#options.result);
      const lent = await this.#transport.pool.lend(bytes);
      try {
        if (!this.#readShared(tile, lent)) await this.#fetch(tile, lent);
        this.#place(tile, lent);
      } finally {
        this.#transport.pool.giveBack(lent);
      }
    } catch (error) {
      this.#missed(tile, error);
    }
  }

  #place({ region }: TileNotice, bytes: Uint8Array): void {
    if (this.#stopped) return;
    const [top, bottom, left, right] = region as [number, number, number, number];
    this.#options.result.place([top, bottom], [left, right], bytes);
    this.#count += 1;
    this.#options.placed();
  }

  #readShared({ path }: TileNotice, into: Uint8Array): boolean {
    return path !== '' && this.#transport.store !== null && this.#transport.store.readInto(path, into);
  }

  async #fetch(tile: TileNotice, into: Uint8Array): Promise<void> {
    // Waits for all chunks even after a failure: none may write into a buffer that was given back.
    const chunks = await Promise.allSettled(
      chunkOffsets(into.length).map((offset) => this.#fetchChunk(tile, offset, into)),
    );
    for (const chunk of chunks) if (chunk.status === 'rejected') throw chunk.reason;
  }

  async #fetchChunk({ index }: TileNotice, offset: number, into: Uint8Array): Promise<void> {
    const { task, scope } = this.#options;
    const length = Math.min(limits.chunkBytesMax.value, into.length - offset);
    const { bytes } = await fetchPiece(this.#transport, { task, index, offset, length, scope });
    into.set(bytes, offset);
  }

  /** A tile that is missing for now is forgotten, so that its next announcement is taken. */
  #missed({ index }: TileNotice, error: unknown): void {
    const times = (this.#misses.get(index) ?? 0) + 1;
    this.#misses.set(index, times);
    const passing = isMusterError(error) && (error.code === 'BLOCK_MISSING' || error.code === 'TASK_NOT_DONE');
    if (passing && times < MISSES_MAX) this.#known.delete(index);
    else if (!this.#stopped) this.#options.failed(error);
  }
}

/** The length in bytes that a tile of this region must have, on which sinks and buffers rely. Throws PROTOCOL. */
function checkedBytes({ index, bytes, region }: TileNotice, { rows, columns, elementBytes }: TaskResult): number {
  const [top = -1, bottom = -1, left = -1, right = -1] = region;
  const inside = 0 <= top && top < bottom && bottom <= rows && 0 <= left && left < right && right <= columns;
  const expected = (bottom - top) * (right - left) * elementBytes;
  if (inside && bytes === expected) return bytes;
  throw new MusterError('PROTOCOL', `tile ${index} does not fit the result`, {
    why: `${bytes} bytes for [${region.join(', ')}] of ${rows} x ${columns}`,
  });
}
