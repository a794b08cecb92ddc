import { masked } from '../secrets.ts';

/** What pino writes to. */
export interface LogDestination {
  write(line: string): void;
}

/**
 * Masks whole lines, not named fields: a password also turns up in the middle of an error that some library has put together. Costs
 * 2 us a line, and there are few.
 */
export const maskedLog = (destination: { write(line: string): unknown }): LogDestination => ({
  write: (line) => void destination.write(masked(line)),
});
