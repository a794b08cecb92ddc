import { closestOf } from '@muster/shared';
import { flagsOfTask, optionOf, taskNames, type Flags, type TaskName } from '../flags.ts';
import { usage } from './values.ts';

/** Throws USAGE for options of other tasks: they would be ignored, and are more likely a mistake than intended. */
export function refuseForeign(flags: Flags, task: TaskName): void {
  const own: readonly (keyof Flags)[] = flagsOfTask[task];
  for (const other of taskNames) {
    const given = (flagsOfTask[other] as readonly (keyof Flags)[]).find(
      (flag) => flags[flag] !== undefined && !own.includes(flag),
    );
    if (given !== undefined) throw foreign(given, { task, other });
  }
}

/** Options of other tasks that mean the same. */
const COUNTERPARTS: Partial<Record<keyof Flags, readonly (keyof Flags)[]>> = {
  input: ['data', 'a'],
  data: ['input', 'a'],
  a: ['data', 'input'],
  count: ['size', 'epochs'],
  size: ['count', 'batch'],
  rowsPerBlock: ['batch'],
  batch: ['rowsPerBlock'],
};

function foreign(flag: keyof Flags, { task, other }: { task: TaskName; other: TaskName }): Error {
  const own: readonly (keyof Flags)[] = flagsOfTask[task];
  const meant = COUNTERPARTS[flag]?.find((name) => own.includes(name)) ?? closestOf(flag, own);
  const option = optionOf(flag);
  return usage(`${option} does not belong to --task ${task}`, {
    why: `${task} has no such option; ${other} has`,
    fix: meant === undefined ? `leave ${option} away` : `leave ${option} away; did you mean ${optionOf(meant)}?`,
  });
}
