/** Shards, or samples, [from, to) of a batch. */
export interface ShardRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Cuts the samples [0, batch) into one range for each node, in node order, proportional to measured samples a second (largest remainder, so
 * that they add up). A node whose share would be below `minimum` gets `minimum`, because small batches lose efficiency; if the batch is too
 * small for that, the slowest nodes get an empty range. So does a node whose speed is 0 or not finite, unless no speed is known: then all
 * get the same.
 */
export function cutBatch(
  batch: number,
  speeds: readonly number[],
  { minimum = 16 }: { minimum?: number } = {},
): ShardRange[] {
  const known = speeds.map((speed) => (speed > 0 && speed < Infinity ? speed : 0));
  const rates = known.some((speed) => speed > 0) ? known : speeds.map(() => 1);
  const places = Math.max(1, Math.floor(batch / Math.max(1, minimum)));
  const working = fastest(rates, places);
  const shares = sharesOf(batch, working, rates.length === 1 ? 0 : minimum);
  return rangesOf(shares);
}

/** The rates of the `places` fastest nodes, 0 for the others; of equal ones the first. */
function fastest(rates: readonly number[], places: number): number[] {
  const order = [...rates.keys()].toSorted((a, b) => rates[b]! - rates[a]! || a - b);
  const chosen = new Set(order.slice(0, places));
  return rates.map((rate, node) => (chosen.has(node) ? rate : 0));
}

/** Nodes below the minimum are set to it, and the others share what is left, until none is below. */
function sharesOf(batch: number, rates: readonly number[], minimum: number): number[] {
  const atMinimum = new Set<number>();
  for (;;) {
    const free = rates.map((rate, node) => (atMinimum.has(node) ? 0 : rate));
    const shares = largestRemainder(batch - minimum * atMinimum.size, free);
    const below = [...shares.keys()].filter((node) => free[node]! > 0 && shares[node]! < minimum);
    if (below.length === 0 || below.length === free.filter((rate) => rate > 0).length) {
      return shares.map((share, node) => (atMinimum.has(node) ? minimum : share));
    }
    for (const node of below) atMinimum.add(node);
  }
}

/** Whole numbers proportional to `rates` that add up to `total` (Hamilton's method); of equal remainders the first node's. */
function largestRemainder(total: number, rates: readonly number[]): number[] {
  const sum = rates.reduce((a, b) => a + b, 0);
  const exact = rates.map((rate) => (total * rate) / sum);
  const shares = exact.map(Math.floor);
  const left = total - shares.reduce((a, b) => a + b, 0);
  const order = [...rates.keys()]
    .filter((node) => rates[node]! > 0)
    .toSorted((a, b) => exact[b]! - shares[b]! - (exact[a]! - shares[a]!) || a - b);
  for (const node of order.slice(0, left)) shares[node]! += 1;
  return shares;
}

function rangesOf(shares: readonly number[]): ShardRange[] {
  let from = 0;
  return shares.map((share) => {
    const range = { from, to: from + share };
    from = range.to;
    return range;
  });
}

/**
 * Cuts the samples [0, batch) into `count` shards by these two numbers alone. Sizes differ by at most one and none is empty: a batch
 * smaller than `count` has fewer shards.
 */
export function virtualShards(batch: number, count: number): ShardRange[] {
  const shards = Math.min(batch, count);
  return Array.from({ length: shards }, (_, shard) => ({
    from: Math.floor((shard * batch) / shards),
    to: Math.floor(((shard + 1) * batch) / shards),
  }));
}
