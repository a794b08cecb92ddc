import { z } from 'zod';

/** A message type: its number on the wire and its fields, which travel in the order in which they are written here. */
export interface MessageDefinition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  readonly code: number;
  readonly fields: readonly string[];
  readonly schema: z.ZodObject<Shape>;
}

export function message<Shape extends z.ZodRawShape>(code: number, shape: Shape): MessageDefinition<Shape> {
  return { code, fields: Object.keys(shape), schema: z.object(shape) };
}
