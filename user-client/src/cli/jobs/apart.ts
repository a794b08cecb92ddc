import { realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { usage } from '../options/values.ts';

/** Paths by option name; undefined if the option was not given. */
export type NamedPaths = Readonly<Record<string, string | undefined>>;

/** Throws USAGE for an output that is also an input or another output, which would be overwritten. */
export function expectApart(outputs: NamedPaths, inputs: NamedPaths): void {
  const seen = given(inputs);
  for (const [option, path] of given(outputs)) {
    const same = seen.find(([, other]) => isSameFile(path, other));
    if (same !== undefined)
      throw usage(`${option} would overwrite what ${same[0]} names`, {
        why: `both are ${path}`,
        fix: `${option} another file`,
      });
    seen.push([option, path]);
  }
}

const given = (paths: NamedPaths): [option: string, path: string][] =>
  Object.entries(paths).flatMap(([option, path]) => (path === undefined ? [] : [[option, path]]));

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map(statOf);
  if (first !== undefined && second !== undefined) return first.ino === second.ino && first.dev === second.dev;
  return first === second && wholePath(one) === wholePath(other);
}

/** Undefined if the file cannot be looked at: opening it reports why. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Resolves only the directory, because the file may not exist yet. */
function wholePath(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
