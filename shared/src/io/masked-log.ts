import { masked } from '../secrets.ts';

/** A destination that pino can write to. */
export interface LogDestination {
  write(line: string): void;
}

/**
 * Masks whole lines, not named fields, because a password may be part of an error message that a library composed. Costs 2 us a line; there
 * are few.
 */
export const maskedLog = (destination: { write(line: string): unknown }): LogDestination => ({
  write: (line) => void destination.write(masked(line)),
});
