/** One life of a provider: the real core, and an interpreter of its effects that mirrors provider-node/src/driver.ts. */
import {
  MusterError,
  taskTypeNamed,
  toWireError,
  type DeviceFacts,
  type SessionId,
  type TileWork,
  type TrainWork,
} from '@muster/shared';
import {
  handle,
  newProviderState,
  type HeldWork,
  type ProviderEffect,
  type ProviderEvent,
  type ProviderState,
} from '@muster/provider-node/core';
import type { LeaseOrder } from '@muster/head-node/core';
import type { DeliveredMessage } from '../broker/head-mirror.ts';
import { ProviderLink, type BrokeredLease } from '../broker/provider-link.ts';
import { describeProviderEvent } from '../describe.ts';
import type { Draw } from '../draw.ts';
import type { Line } from '../network/ask.ts';
import type { TopicMessage } from '../network/subscription.ts';
import type { ProviderTraits } from '../scenario.ts';
import { SimProcess } from '../sim-process.ts';
import type { World } from '../world.ts';
import { Compute, type Failure, type Fate } from './compute.ts';
import { Membership } from './membership.ts';
import { isInHead, pathIn, type Place, type ProviderDisk } from './provider-disk.ts';
import type { ProviderMachine } from './provider-machine.ts';

/** As in provider-node/src/io/spool.ts. */
const SPOOL_AFTER_MS = 250;
const ABORT_AFTER_MS = 1000;
const NO_ROOM: Failure = 'no room';
/** Time to look for blocks in a task's stream, or to read them. */
const STREAM_MS = 20;

type Way = DeliveredMessage['way'];
type Via = (ProviderEvent & { type: 'leased' })['via'];

interface Computed {
  readonly place: Place;
  readonly bytes: number;
  readonly computeMs: number;
  readonly correct: boolean;
}

export class ProviderLife {
  readonly world: World;
  readonly traits: ProviderTraits;
  readonly process: SimProcess;
  readonly line: Line;
  readonly state: ProviderState;
  readonly membership: Membership;
  readonly #machine: ProviderMachine;
  readonly #draw: Draw;
  readonly #compute: Compute;
  readonly #disk: ProviderDisk;
  readonly #broker: ProviderLink;
  /** By lease: whether its inline result is correct. */
  readonly #honest = new Map<number, boolean>();
  /** Where results of this session are written. */
  #store: Place = 'own';
  #aborting = false;

  constructor(machine: ProviderMachine, draw: Draw) {
    const { world, traits, link, head } = machine;
    this.#machine = machine;
    this.#draw = draw;
    this.world = world;
    this.traits = traits;
    this.process = new SimProcess(world.timeline);
    this.line = { process: this.process, link, head };
    this.#compute = new Compute(this.process, draw.fork('compute'));
    this.#disk = machine.disk;
    this.state = newProviderState(machine.disk.load());
    this.#broker = new ProviderLink({ world, broker: machine.broker, process: this.process, traits });
    this.membership = new Membership(this);
  }

  get device(): DeviceFacts {
    const { gflops } = this.traits;
    const rates = { float32: gflops, float64: gflops / 2, int8: gflops * 4 };
    return { kind: 'cpu', label: 'simulated', threads: 1, memoryBytes: 2 ** 33, gflops: rates, refused: [] };
  }

  start(): void {
    this.#broker.listen((brokered) => this.#brokered(brokered));
    this.membership.join();
  }

  /** Called when the process is gone, however it ended. */
  end(): void {
    this.process.kill();
    this.#broker.end();
    this.membership.link?.subscription.close();
  }

  note(what: string): void {
    this.world.chronicle.note(this.traits.name, what);
  }

  post(event: ProviderEvent): void {
    this.world.chronicle.events += 1;
    const effects = handle(this.state, event, this.world.timeline.nowMs);
    this.note(describeProviderEvent(event, effects));
    this.world.witness.providerHandled(this, event, effects);
    for (const effect of effects) this.#perform(effect);
  }

  receive(message: Exclude<TopicMessage, { type: 'hello' }>): void {
    if (message.type === 'lease') return this.#leased(message.order, { broker: false });
    this.post({ type: message.type === 'settled' ? 'settled' : 'revoked', leases: message.leases });
  }

  /** At the start of a session: its store is the head's, or ours. */
  attach(): void {
    this.#store = this.traits.sharesStore ? 'head' : 'own';
  }

  /** Leases whose result files the head has removed. */
  missing(): number[] {
    const gone = (held: HeldWork): boolean =>
      held.result !== null && held.result.path !== '' && this.#disk.read(held) === undefined;
    return [...this.state.held.values()].filter(gone).map(({ lease }) => lease);
  }

  /** Returns whether the lease is held now. */
  #brokered({ order, epoch, again }: BrokeredLease): boolean {
    this.#leased(order, { broker: true, epoch, again });
    return this.state.held.has(order.lease);
  }

  #leased({ task, lease, attempt, taskType, ranges, work, payload, durability }: LeaseOrder, via: Via): void {
    const mirrored = durability !== 'local';
    const type = taskTypeNamed(taskType);
    const inline = type.runs === 'inline';
    const read = type.readWork(work);
    this.post({ type: 'leased', via, task, lease, attempt, taskType, ranges, payload, inline, mirrored, ...read });
  }

  #perform(effect: ProviderEffect): void {
    switch (effect.type) {
      case 'fetch':
        return this.#fetch(effect.held);
      case 'compute':
        return this.#computeTile(effect.held);
      case 'answer':
        this.#honest.set(effect.held.lease, !this.#lies());
        return this.#sendResult(effect);
      case 'send-result':
        return this.#sendResult(effect);
      case 'send-failure': {
        const { task, lease } = effect.held;
        return this.membership.link?.pushFailure({ session: effect.session, task, lease, error: effect.error });
      }
      case 'abort-soon':
        return this.#abortSoon();
      case 'release':
        return this.#release(effect.held);
    }
  }

  #fetch(held: HeldWork): void {
    const { lease } = held;
    const fetched = (): void => this.post({ type: 'fetched', lease });
    if (this.#store === 'head') this.process.after(0, fetched);
    else this.#fetchBlocks(held, fetched);
  }

  /** From the head, or from the broker while the head is away; tries again if the connection to the head has changed meanwhile. */
  #fetchBlocks(held: HeldWork, fetched: () => void): void {
    const { task, lease, blocks } = held;
    const { link } = this.membership;
    const failed = (why = 'the blocks are not here'): void => {
      if (link !== this.membership.link && this.#broker.isThere) this.#fetchBlocks(held, fetched);
      else this.post({ type: 'fetch-failed', lease, error: failure(why) });
    };
    const arrived = (): void => {
      for (const block of blocks) this.#disk.blocks.add(block);
      fetched();
    };
    if (blocks.every((block) => this.#disk.blocks.has(block))) this.process.after(0, fetched);
    else if (this.#machine.diskFull) this.process.after(0, () => failed(NO_ROOM));
    else if (link !== null) link.fetch(blocks, { fetched: arrived, failed: () => failed() });
    else if (this.#broker.has(task, blocks)) this.process.after(STREAM_MS, arrived);
    else if (this.#broker.isThere) this.process.after(STREAM_MS, () => this.#fetchBlocks(held, fetched));
    else this.process.after(0, () => failed());
  }

  #computeTile(held: HeldWork): void {
    const { lease } = held;
    const { flops, bytes } = sizeOf(held);
    const durationMs = (flops / (this.traits.gflops * 1e6)) * this.traits.slowness;
    const place = this.#store;
    this.#compute.multiply({
      durationMs,
      fate: () => this.#fateOf(held),
      done: (correct) => this.#computed(held, { place, bytes, computeMs: durationMs, correct }),
      failed: (why) => this.post({ type: 'compute-failed', lease, aborted: why === 'aborted', error: failure(why) }),
    });
  }

  #fateOf({ task, ranges }: HeldWork): Fate {
    if (this.#machine.wedged) return 'wedged';
    if (this.#machine.isPoison(task, ranges)) return 'crash';
    if (this.#isDiskFull) return 'no room';
    return this.#lies() ? 'wrong' : 'right';
  }

  get #isDiskFull(): boolean {
    return this.#store === 'head' ? this.#machine.head.disk.full : this.#machine.diskFull;
  }

  #lies(): boolean {
    const lies = this.#draw.chance(this.traits.lies);
    if (lies) this.world.faults.count('liar');
    return lies;
  }

  #computed(held: HeldWork, { place, bytes, computeMs, correct }: Computed): void {
    const { lease } = held;
    const result = { bytes, computeMs, path: pathIn(place, held) };
    this.#disk.write(place, held, { bytes, correct });
    const wanted = this.state.held.get(lease)?.revoked === false;
    this.post({ type: 'computed', lease, result });
    if (!wanted) this.#disk.remove({ ...held, result });
  }

  #sendResult({ session, held }: ProviderEffect & { type: 'answer' | 'send-result' }): void {
    const way = this.#wayOf(session, held);
    if (way !== 'inline' && taskTypeNamed(held.taskType).rounds === null) this.#outlive(session, held);
    const correct = way === 'inline' ? this.#honest.get(held.lease) === true : this.#disk.read(held)?.correct === true;
    if (session !== null) this.#sendStraight(session, held, { way, correct });
    if (held.mirrored) this.#broker.deliver(held, { way, correct });
  }

  #outlive(session: SessionId | null, held: HeldWork): void {
    if (session === null) return this.#disk.spool(held);
    this.process.after(SPOOL_AFTER_MS, () => {
      if (this.state.held.get(held.lease) === held) this.#disk.spool(held);
    });
  }

  #wayOf(session: SessionId | null, { result }: HeldWork): Way {
    if (result === null || result.path === '') return 'inline';
    if (isInHead(result.path) && (this.#store === 'head' || session === null)) return 'store';
    return session === null ? 'stream' : 'wire';
  }

  #sendStraight(session: SessionId, held: HeldWork, { way, correct }: { way: Way; correct: boolean }): void {
    const { task, lease, ranges, fetchMs, result } = held;
    const { bytes = 0, computeMs = 0 } = result ?? {};
    const by = way === 'store' ? 'path' : way === 'inline' ? 'inline' : 'wire';
    this.membership.link?.pushResult({ session, task, lease, ranges, bytes, computeMs, fetchMs, correct, by });
  }

  #release(held: HeldWork): void {
    const { lease, blocks, result } = held;
    this.#honest.delete(lease);
    this.#broker.release(held);
    if (blocks.length === 0 || result === null) return;
    this.#disk.remove(held);
    this.#disk.unspool(lease);
  }

  #abortSoon(): void {
    if (this.#aborting) return;
    this.#aborting = true;
    this.process.after(ABORT_AFTER_MS, () => {
      this.#aborting = false;
      if (![...this.state.held.values()].some(({ phase, revoked }) => phase === 'computing' && revoked)) return;
      this.#compute.abort();
      this.#abortSoon();
    });
  }
}

/** A shard costs as much as if each sample were a small product. */
const FLOPS_PER_SAMPLE = 1e6;
const SHARD_BYTES = 64;

function sizeOf({ taskType, work }: HeldWork): { readonly flops: number; readonly bytes: number } {
  if (taskType === 'train') {
    const { from, to } = work as TrainWork;
    return { flops: FLOPS_PER_SAMPLE * (to - from), bytes: SHARD_BYTES };
  }
  const { rows, columns, depths } = work as TileWork;
  const height = sum(rows);
  return { flops: 2 * height * columns * sum(depths), bytes: height * columns * 4 };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

const failure = (why: string): ReturnType<typeof toWireError> =>
  toWireError(new MusterError(why === NO_ROOM ? 'DISK_FULL' : 'COMPUTE_FAILED', 'a tile was not computed', { why }));
