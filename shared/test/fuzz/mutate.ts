import type { Random } from '@muster/shared';

/** Numbers that lengths and counts go wrong at. */
const EDGES = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const EXTRA_MAX = 64;

type Change = (bytes: Uint8Array, random: Random) => Uint8Array;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

const withByte: Change = (bytes, random) => {
  if (bytes.length > 0) bytes[below(random, bytes.length)] = below(random, 256);
  return bytes;
};

const withBit: Change = (bytes, random) => {
  const at = below(random, bytes.length);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
  return bytes;
};

const cut: Change = (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1));

const extended: Change = (bytes, random) => {
  const tail = Uint8Array.from({ length: below(random, EXTRA_MAX) }, () => below(random, 256));
  return Buffer.concat([bytes, tail]);
};

const doubled: Change = (bytes, random) => {
  const [from, to] = [below(random, bytes.length), below(random, bytes.length)].toSorted((a, b) => a - b) as [
    number,
    number,
  ];
  return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
};

/** A length field, perhaps, in one of both byte orders. */
const withEdge: Change = (bytes, random) => {
  if (bytes.length < 4) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(below(random, bytes.length - 3), EDGES[below(random, EDGES.length)] ?? 0, random() < 0.5);
  return bytes;
};

const changes: readonly Change[] = [withByte, withBit, withBit, cut, extended, doubled, withEdge];
const CHANGES_MAX = 4;

/** One to four things go wrong with a copy of `bytes`; now and then it is garbage from the first byte on. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  if (random() < 0.05) return Uint8Array.from({ length: below(random, 256) }, () => below(random, 256));
  let mutant: Uint8Array = new Uint8Array(bytes);
  for (let left = 1 + below(random, CHANGES_MAX); left > 0; left -= 1)
    mutant = (changes[below(random, changes.length)] ?? withBit)(mutant, random);
  return new Uint8Array(mutant);
}
