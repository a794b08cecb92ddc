/** Everything that may go wrong. A seed draws some kinds of it, so that rare mixes come up too. */
import { MusterError } from '@muster/shared';
import type { Draw } from './draw.ts';

/** Injected at drawn times: see injections.ts. */
export const timedFaults = [
  'delay',
  'reorder',
  'break',
  'partition',
  'one-way',
  'head-crash',
  'head-freeze',
  'provider-crash',
  'provider-freeze',
  'provider-leave',
  'flapping',
  'fsync-delay',
  'head-disk-full',
  'provider-disk-full',
  'wedge',
  'broker-down',
  'broker-blocked',
  'broker-slow',
  'broker-redelivery',
] as const;

/** Each time that there is an occasion, with a probability that the seed draws. */
export const occasionalFaults = [
  /** A message on a provider's topic is lost. */
  'gap',
  /** A lease does not go into the provider's pipe. */
  'full-pipe',
  /** A result or a submission arrives twice. */
  'duplicate',
  /** The broker goes, or hangs, right after a lease that waits for it was published. */
  'broker-point',
  /** No queue of the broker takes a message: it is lost, and its publisher hears so. */
  'mirror-loss',
  /** A check of a result comes to no verdict. */
  'check-failed',
  /** A crash of the head leaves part of its last journal write. */
  'torn-write',
  /** A crash of the head loses operand blocks. */
  'block-loss',
  /** ... accepted results, as a power failure does. */
  'result-loss',
  /** The trainer dies at the end of a round. */
  'trainer-crash',
  /** The head crashes right after something that it has yet to write down. */
  'crash-point',
] as const;

/** Who takes part. */
export const traitFaults = [
  'liar',
  'poison',
  'slow',
  'cancel',
  'resubmit',
  'client-loss',
  'few-nodes',
  'small-store',
] as const;

export const faultKinds = [...timedFaults, ...occasionalFaults, ...traitFaults];
export type TimedFault = (typeof timedFaults)[number];
export type OccasionalFault = (typeof occasionalFaults)[number];
export type FaultKind = (typeof faultKinds)[number];

/** `all`, `none` or names with commas between. Throws USAGE. */
export function parseFaults(text: string): FaultKind[] {
  if (text === 'all') return [...faultKinds];
  if (text === 'none' || text === '') return [];
  return text.split(',').map((name) => {
    const known = faultKinds.find((kind) => kind === name);
    if (known !== undefined) return known;
    throw new MusterError('USAGE', 'there is no such fault', {
      why: `got '${name}'`,
      fix: `all, none, or some of: ${faultKinds.join(', ')}`,
    });
  });
}

/** Share of the kinds that a seed has: few, so that each shows what it does alone, or most of them. */
const SHARES = [0.1, 0.35, 0.7];

/** The faults of one seed, and how often each was injected. */
export class Faults {
  readonly on: ReadonlySet<FaultKind>;
  readonly counts = new Map<FaultKind, number>();
  readonly #probabilities = new Map<FaultKind, number>();
  readonly #draw: Draw;
  /** No more faults: what is left must come to a good end. */
  over = false;

  constructor(allowed: readonly FaultKind[], draw: Draw) {
    this.#draw = draw;
    const share = draw.pick(SHARES);
    this.on = new Set(allowed.filter(() => draw.chance(share)));
    for (const kind of this.on) this.#probabilities.set(kind, draw.pick([0.01, 0.05, 0.2]));
  }

  has(kind: FaultKind): boolean {
    return this.on.has(kind);
  }

  /** Counts it when it happens. */
  strikes(kind: OccasionalFault): boolean {
    const probability = this.#probabilities.get(kind) ?? 0;
    if (this.over || !this.#draw.chance(probability)) return false;
    this.count(kind);
    return true;
  }

  count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
