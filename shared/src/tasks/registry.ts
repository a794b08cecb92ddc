import { MusterError } from '../errors.ts';
import { echo } from './echo/task-type.ts';
import { infer } from './infer/task-type.ts';
import { matrixMult } from './matrix-mult/task-type.ts';
import type { TaskType } from './task-type.ts';
import { train } from './train/task-type.ts';

/** Every kind of task. A spec only ever goes back to the type that parsed it, which is why it is `unknown` here. */
export const taskTypes: Readonly<Record<string, TaskType<unknown>>> = {
  [matrixMult.name]: matrixMult,
  [echo.name]: echo,
  [train.name]: train,
  [infer.name]: infer,
};

export function taskTypeNamed(name: string): TaskType<unknown> {
  const type = Object.hasOwn(taskTypes, name) ? taskTypes[name] : undefined;
  if (type !== undefined) return type;
  throw new MusterError('USAGE', 'there is no such kind of task', {
    why: `got '${name}'`,
    fix: `use one of: ${Object.keys(taskTypes).join(', ')}`,
  });
}
