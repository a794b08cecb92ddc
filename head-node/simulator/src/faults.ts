/** Everything that may go wrong. A seed enables some of the kinds, so that rare combinations come up too. */
import { MusterError } from '@muster/shared';
import type { Draw } from './draw.ts';

/** Injected at drawn times, see injections.ts. */
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

/** Injected at each occasion, with a probability drawn from the seed. */
export const occasionalFaults = [
  /** A message on a provider's topic is lost. */
  'gap',
  /** A lease is refused because the provider's pipe is full. */
  'full-pipe',
  /** A result or a submission arrives twice. */
  'duplicate',
  /** The broker goes down or is blocked right after a lease that waits for it was published. */
  'broker-point',
  /** No queue of the broker takes a message: it is lost, and its publisher is told. */
  'mirror-loss',
  /** A check of a result ends without a verdict. */
  'check-failed',
  /** A crash of the head leaves part of its last journal write. */
  'torn-write',
  /** A crash of the head loses operand blocks. */
  'block-loss',
  /** A crash of the head loses accepted results, as a power failure does. */
  'result-loss',
  /** The trainer dies at the end of a round. */
  'trainer-crash',
  /** The head crashes right after a decision that is not on disk yet. */
  'crash-point',
] as const;

/** Properties of the participants. */
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

/** `all`, `none` or a comma-separated list. Throws USAGE. */
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

/** Share of the kinds that a seed enables: few, so that each shows what it does alone, or most of them. */
const SHARES = [0.1, 0.35, 0.7];

/** The faults of one seed, and how often each was injected. */
export class Faults {
  readonly on: ReadonlySet<FaultKind>;
  readonly counts = new Map<FaultKind, number>();
  readonly #probabilities = new Map<FaultKind, number>();
  readonly #draw: Draw;
  /** No more faults are injected: what is left must end well. */
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

  /** Whether the fault happens now; if so, it is counted. */
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
