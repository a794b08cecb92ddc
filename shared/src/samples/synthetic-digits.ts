/**
 * Digits drawn by pen strokes, for tests and trials where no data set is at hand. Only sums, products and quotients of doubles go into a
 * pixel, so that the same seed gives the same bytes on every machine. The background is 0 everywhere, so that max pooling meets ties as in
 * real digits.
 */
import { seededRandom, type Random } from '../random.ts';

export interface SyntheticOptions {
  readonly samples: number;
  readonly seed: number;
}

export interface SyntheticDigits {
  /** [samples, 1, 28, 28] */
  readonly features: Uint8Array;
  /** 0 to 9, each about as often as the others. */
  readonly labels: Uint16Array;
}

/** Read once: tests run in a realm of their own, where each look-up of a global costs 100 ns. */
const { floor, max, min } = Math;

export const DIGIT_SIDE = 28;
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;

type Point = readonly [x: number, y: number];

/** The strokes of each digit in a square of side 1, y downwards. */
const GLYPHS: readonly (readonly (readonly Point[])[])[] = [
  [
    [
      [0.5, 0.05],
      [0.2, 0.2],
      [0.12, 0.5],
      [0.2, 0.8],
      [0.5, 0.95],
      [0.8, 0.8],
      [0.88, 0.5],
      [0.8, 0.2],
      [0.5, 0.05],
    ],
  ],
  [
    [
      [0.3, 0.25],
      [0.55, 0.05],
      [0.55, 0.95],
    ],
  ],
  [
    [
      [0.15, 0.25],
      [0.35, 0.06],
      [0.65, 0.06],
      [0.84, 0.28],
      [0.7, 0.52],
      [0.15, 0.94],
      [0.87, 0.94],
    ],
  ],
  [
    [
      [0.15, 0.12],
      [0.5, 0.05],
      [0.8, 0.2],
      [0.75, 0.4],
      [0.45, 0.48],
      [0.8, 0.58],
      [0.85, 0.78],
      [0.5, 0.95],
      [0.13, 0.86],
    ],
  ],
  [
    [
      [0.65, 0.95],
      [0.65, 0.05],
      [0.12, 0.65],
      [0.9, 0.65],
    ],
  ],
  [
    [
      [0.82, 0.06],
      [0.25, 0.06],
      [0.2, 0.45],
      [0.6, 0.4],
      [0.85, 0.62],
      [0.75, 0.88],
      [0.45, 0.95],
      [0.14, 0.85],
    ],
  ],
  [
    [
      [0.7, 0.05],
      [0.35, 0.3],
      [0.16, 0.65],
      [0.3, 0.92],
      [0.65, 0.94],
      [0.84, 0.72],
      [0.65, 0.52],
      [0.3, 0.55],
      [0.18, 0.68],
    ],
  ],
  [
    [
      [0.12, 0.07],
      [0.87, 0.07],
      [0.55, 0.5],
      [0.4, 0.95],
    ],
  ],
  [
    [
      [0.5, 0.48],
      [0.22, 0.3],
      [0.3, 0.1],
      [0.5, 0.05],
      [0.7, 0.1],
      [0.78, 0.3],
      [0.5, 0.48],
      [0.18, 0.68],
      [0.25, 0.9],
      [0.5, 0.96],
      [0.75, 0.9],
      [0.82, 0.68],
      [0.5, 0.48],
    ],
  ],
  [
    [
      [0.82, 0.32],
      [0.7, 0.48],
      [0.35, 0.5],
      [0.16, 0.28],
      [0.35, 0.06],
      [0.7, 0.08],
      [0.84, 0.35],
      [0.65, 0.75],
      [0.4, 0.95],
    ],
  ],
];

/** Half the width and height of the largest digit, in pixels. */
const REACH = 11;
const JITTER = 0.075;
const SLANT = 0.45;
const SHIFT = 3.5;
const SPECKS = 24;
/** Width of the soft rim of a stroke in pixels. */
const RIM = 0.9;

/** The first samples of a seed are the same however many are drawn. */
export function syntheticDigits({ samples, seed }: SyntheticOptions): SyntheticDigits {
  const random = seededRandom(seed);
  const features = new Uint8Array(samples * PIXELS);
  const labels = new Uint16Array(samples);
  for (let at = 0; at < samples; at++) {
    const digit = floor(random() * GLYPHS.length);
    labels[at] = digit;
    drawDigit(features.subarray(at * PIXELS, (at + 1) * PIXELS), digit, random);
  }
  return { features, labels };
}

const between = (random: Random, low: number, high: number): number => low + (high - low) * random();

function drawDigit(image: Uint8Array, digit: number, random: Random): void {
  const place = placement(random);
  const pen = { radius: between(random, 0.6, 1.7), ink: between(random, 130, 255) };
  for (const stroke of GLYPHS[digit] ?? []) {
    const points = stroke.map((point) => place(point));
    for (let at = 1; at < points.length; at++) drawSegment(image, [points[at - 1] as Point, points[at] as Point], pen);
  }
  const specks = floor(random() * SPECKS);
  for (let speck = 0; speck < specks; speck++) image[floor(random() * PIXELS)] = floor(random() * 256);
}

/** From the square of a glyph to pixels: one size, slant and shift for all its points, and a jitter for each. */
function placement(random: Random): (point: Point) => Point {
  const width = between(random, 0.55, 1) * REACH;
  const height = between(random, 0.65, 1) * REACH;
  const slant = between(random, -SLANT, SLANT);
  const left = DIGIT_SIDE / 2 + between(random, -SHIFT, SHIFT);
  const top = DIGIT_SIDE / 2 + between(random, -SHIFT, SHIFT);
  return ([x, y]) => {
    const right = 2 * (x + between(random, -JITTER, JITTER)) - 1;
    const down = 2 * (y + between(random, -JITTER, JITTER)) - 1;
    return [left + right * width - down * slant * width, top + down * height];
  };
}

interface Pen {
  /** Radius of full ink, in pixels. */
  readonly radius: number;
  readonly ink: number;
}

/** A pixel keeps the most ink that any segment gives it. */
function drawSegment(image: Uint8Array, [[x0, y0], [x1, y1]]: readonly [Point, Point], { radius, ink }: Pen): void {
  const outer = radius + RIM;
  const [outerSquare, rimSquare] = [outer * outer, outer * outer - radius * radius];
  const [dx, dy] = [x1 - x0, y1 - y0];
  const lengthSquare = max(dx * dx + dy * dy, 1e-9);
  const [left, right] = pixelsBetween(min(x0, x1) - outer, max(x0, x1) + outer);
  const [top, bottom] = pixelsBetween(min(y0, y1) - outer, max(y0, y1) + outer);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const along = min(1, max(0, ((x - x0) * dx + (y - y0) * dy) / lengthSquare));
      const [offX, offY] = [x - x0 - along * dx, y - y0 - along * dy];
      const cover = (outerSquare - offX * offX - offY * offY) / rimSquare;
      const shade = floor(min(1, cover) * ink);
      const at = y * DIGIT_SIDE + x;
      if (shade > (image[at] as number)) image[at] = shade;
    }
  }
}

/** [from, to) of the pixels in a stretch, clipped to the image. */
const pixelsBetween = (low: number, high: number): readonly [number, number] => [
  max(0, floor(low)),
  min(DIGIT_SIDE, floor(high) + 1),
];
