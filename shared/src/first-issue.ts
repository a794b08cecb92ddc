import type { z } from 'zod';
import { MusterError } from './errors.ts';

/** Path and message of the first issue: `options.batch: Too small`. */
export function firstIssue({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.')}: ${issue?.message}`;
}

/** `what` names the input: 'the echo'. Throws USAGE with the first invalid field. */
export function parseOrThrow<Schema extends z.ZodType>(schema: Schema, raw: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new MusterError('USAGE', `${what} is not valid`, { why: firstIssue(parsed.error) });
}
