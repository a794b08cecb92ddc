import { z } from 'zod';

/** 0, 1, 2, ... */
export const whole = z.number().int().nonnegative();
/** Times, bytes and rates. */
export const nonNegative = z.number().nonnegative();
