import type { z } from 'zod';
import { MusterError } from './errors.ts';

/** What is wrong first: `options.batch: Too small`. */
export function firstIssue({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.')}: ${issue?.message}`;
}

/** `what` names what was parsed: 'the echo'. Throws USAGE with the first field that does not fit. */
export function parseOrThrow<Schema extends z.ZodType>(schema: Schema, raw: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new MusterError('USAGE', `${what} is not valid`, { why: firstIssue(parsed.error) });
}
