import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Command } from 'commander';
import { runProgram } from '@muster/shared/io';

const { argv } = process;
let said = '';

beforeEach(() => {
  said = '';
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});

afterEach(() => {
  jest.restoreAllMocks();
  process.argv = argv;
  process.exitCode = undefined;
});

/** A program that does something by itself and has a group of commands; what it said, and its exit code. */
async function run(...given: readonly string[]): Promise<readonly [code: unknown, said: string]> {
  const program = new Command('cook').option('--salt <grams>').action(() => undefined);
  const pan = program.command('pan');
  pan.command('heat <degrees>').action(() => undefined);
  pan.command('wash').action(() => undefined);
  process.argv = ['node', 'cook', ...given];
  await runProgram(program, () => Promise.resolve());
  return [process.exitCode, said];
}

describe('a command line that is wrong', () => {
  test.each([
    [['pot'], "'cook' has no command 'pot'", "did you mean 'pan'?", 'cook pan'],
    [['pan', 'het', '7'], "'pan' has no command 'het'", "did you mean 'heat'?", 'cook pan heat'],
    [['pan', 'throw'], "'pan' has no command 'throw'", 'there is heat, wash', 'cook pan heat'],
    [['pan'], "'pan' needs a command", 'there is heat, wash', 'cook pan heat'],
    [['pan', 'heat'], "missing required argument 'degrees'", 'see the usage', 'cook pan heat --help'],
    [
      ['pan', 'wash', 'twice'],
      "too many arguments for 'wash'. Expected 0 arguments but got 1.",
      'see the usage',
      'cook pan wash --help',
    ],
    [['pan', 'wash', '--hot'], "unknown option '--hot'", 'see the usage', 'cook pan wash --help'],
    [['--sal', '3'], "unknown option '--sal'", 'Did you mean --salt?', 'cook --help'],
  ])('%j: three lines, and exit 2', async (given, ...[what, why, fix]) => {
    expect(await run(...given)).toEqual([2, `error: ${what} (USAGE, exit 2)\n  why: ${why}\n  fix: ${fix}\n`]);
  });

  test('that is right ends with 0 and says nothing', async () => {
    expect(await run('pan', 'heat', '180')).toEqual([0, '']);
    expect(await run('--salt', '3')).toEqual([0, '']);
  });
});
