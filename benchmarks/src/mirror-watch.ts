/** Observes the broker behind the head while a load runs. */
import { MusterError, type BackboneReport } from '@muster/shared';
import { waitUntil } from '@muster/shared/testkit';
import type { ClusterClient } from '@muster/user-client';
import { setTimeout } from 'node:timers/promises';

/** The lag grows steadily, so its peak is missed by this much at most. */
const EVERY_MS = 20;
const CATCH_UP_MS = 60_000;

export interface MirrorPeaks {
  /** Age of the oldest message that the broker had not confirmed. */
  readonly worstLagMs: number;
  readonly worstOutbox: number;
  /** From the last acceptance to an empty outbox, in steps of `EVERY_MS`. */
  readonly caughtUpMs: number;
}

interface Peaks {
  worstLagMs: number;
  worstOutbox: number;
  acceptedAtMs: number | null;
  emptyAtMs: number | null;
}

export class MirrorWatch {
  readonly #client: ClusterClient;
  readonly #peaks: Peaks = { worstLagMs: 0, worstOutbox: 0, acceptedAtMs: null, emptyAtMs: null };
  readonly #looking: Promise<void>;
  #last: string | null = null;
  #stopped = false;

  constructor(client: ClusterClient) {
    this.#client = client;
    this.#looking = this.#look();
    // `caughtUp` reports the error.
    this.#looking.catch(() => undefined);
  }

  /** Names the last task: once all of it is accepted, nothing more is sent to the mirror. */
  last(task: string): void {
    this.#last = task;
  }

  /** Resolves when the broker has everything. Throws BUG for a mirror that did not get there: none of its figures counts. */
  async caughtUp(): Promise<MirrorPeaks> {
    const timer = global.setTimeout(() => (this.#stopped = true), CATCH_UP_MS);
    await this.#looking;
    clearTimeout(timer);
    const { worstLagMs, worstOutbox, acceptedAtMs, emptyAtMs } = this.#peaks;
    if (acceptedAtMs === null || emptyAtMs === null) throw notComplete(`it had not caught up after ${CATCH_UP_MS} ms`);
    return { worstLagMs, worstOutbox, caughtUpMs: emptyAtMs - acceptedAtMs };
  }

  /** Ends the watch in any case. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking.catch(() => undefined);
  }

  async #look(): Promise<void> {
    while (!this.#stopped && this.#peaks.emptyAtMs === null) {
      await this.#sample();
      await setTimeout(EVERY_MS);
    }
  }

  async #sample(): Promise<void> {
    const peaks = this.#peaks;
    // The task first: an outbox that is empty after the last acceptance stays empty.
    if (this.#last !== null && peaks.acceptedAtMs === null) {
      const { acceptedTiles, tiles } = await this.#client.task(this.#last);
      if (acceptedTiles === tiles) peaks.acceptedAtMs = performance.now();
    }
    const { backbone } = await this.#client.cluster();
    peaks.worstLagMs = Math.max(peaks.worstLagMs, backbone.lagMs);
    peaks.worstOutbox = Math.max(peaks.worstOutbox, backbone.outboxMessages);
    if (peaks.acceptedAtMs !== null && backbone.outboxMessages === 0) peaks.emptyAtMs = performance.now();
  }
}

/** Resolves when the broker has everything that it was ever given. Throws when something is lost, or after a minute. */
export async function checkComplete(client: ClusterClient): Promise<void> {
  const backboneNow = async (): Promise<BackboneReport> => (await client.cluster()).backbone;
  await waitUntil(async () => isEmpty(await backboneNow()), {
    what: 'the broker is up and has everything',
    timeoutMs: CATCH_UP_MS,
  });
  const { dropped, unrouted } = await backboneNow();
  if (dropped + unrouted > 0) throw notComplete(`${dropped} messages were dropped, ${unrouted} not routed`);
}

const isEmpty = ({ state, outboxMessages, blockOutboxBytes }: BackboneReport): boolean =>
  state === 'up' && outboxMessages + blockOutboxBytes === 0;

const notComplete = (why: string): MusterError =>
  new MusterError('BUG', 'a figure of a mirror that is not complete would be wrong', { why });
