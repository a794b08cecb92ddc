import { MusterError, seededRandom } from '@muster/shared';

export interface HeldOut {
  /** Sample numbers; both in the order of the source. */
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

export interface HoldOutOptions {
  readonly share: number;
  readonly seed: number;
}

/** Chooses the samples to test with: the same for the same seed on every machine, at least one, and never all. */
export function holdOut(samples: number, { share, seed }: HoldOutOptions): HeldOut {
  if (!(share > 0 && share < 1)) {
    throw new MusterError('USAGE', 'the share of samples to test with lies between 0 and 1', {
      why: `got ${share}`,
      fix: 'a tenth is usual: 0.1',
    });
  }
  const test = Math.min(samples - 1, Math.max(1, Math.round(samples * share)));
  const order = shuffled(samples, seed);
  return { train: order.slice(test).toSorted(), test: order.slice(0, test).toSorted() };
}

/** Fisher-Yates shuffle. */
function shuffled(count: number, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const order = Uint32Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const moved = order[at] as number;
    order[at] = order[other] as number;
    order[other] = moved;
  }
  return order;
}
