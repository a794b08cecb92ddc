import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runProgram } from '@muster/shared/io';
import { isOn } from '@muster/shared';
import { Command, Option } from 'commander';

const { argv, env, exitCode } = process;
beforeEach(() => void (process.env = { ...env }));
afterEach(() => void Object.assign(process, { argv, env, exitCode }));

test.each(['', '0', 'false', 'no', 'off', 'FALSE', 'Off'])("'%s' is off", (value) => expect(isOn(value)).toBe(false));
test.each(['1', 'true', 'yes', 'on', 'anything'])("'%s' is on", (value) => expect(isOn(value)).toBe(true));
test('what is not said is off', () => expect(isOn(undefined)).toBe(false));

/** What a program is told by its environment alone. */
async function told(variables: Record<string, string>): Promise<Record<string, unknown>> {
  Object.assign(process, { argv: ['node', 'thing'] });
  Object.assign(process.env, variables);
  const program = new Command('thing')
    .addOption(new Option('--insecure').env('THING_INSECURE'))
    .addOption(new Option('--no-announce').env('THING_QUIET'))
    .addOption(new Option('--name <name>').env('THING_NAME'));
  await runProgram(program, () => Promise.resolve());
  return program.opts();
}

test('a variable that says off leaves a switch off', async () => {
  expect(await told({ THING_INSECURE: '0', THING_QUIET: 'false' })).toEqual({ announce: true });
});

test('one that says on switches it on; what takes a value takes it as it is', async () => {
  const variables = { THING_INSECURE: '1', THING_QUIET: 'yes', THING_NAME: '0' };
  expect(await told(variables)).toEqual({ insecure: true, announce: false, name: '0' });
});
