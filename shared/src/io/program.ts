/** What the three command-line programs have in common: usage errors in three lines, exit codes, signals, no stack traces. */
import { readFileSync } from 'node:fs';
import { CommanderError, type Command } from 'commander';
import { closestOf } from '../closest.ts';
import { describeError, isMusterError, MusterError, toWireError } from '../errors.ts';
import { exitCode, type ExitCode } from '../exit-codes.ts';
import { masked } from '../secrets.ts';
import { isOn } from '../switches.ts';

export interface ProgramOptions {
  /** Errors go to standard output as well, as one JSON object. Default false. */
  readonly json?: boolean;
}

/** Parses the command line, runs `body`, and sets the exit code for its outcome. */
export async function runProgram(
  program: Command,
  body: () => Promise<void>,
  options: ProgramOptions = {},
): Promise<void> {
  prepare(program);
  if (program.commands.length > 0) program.helpCommand(true);
  try {
    dropWhatIsOff(program, process.env);
    program.parse();
    await body();
    process.exitCode ??= exitCode.done;
  } catch (error) {
    process.exitCode = report(error, program, options);
  }
}

/** Recursive: commands that were added before do not inherit commander's settings. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .showSuggestionAfterError(true);
  command.commands.forEach(prepare);
}

/** As it is typed: 'head-node token'. */
const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;

/** `given` is the unknown name, '' if there is none. */
export function noSuchCommand(command: Command, given: string): MusterError {
  const name = command.name();
  const known = command.commands.map((each) => each.name());
  const none = given === '' || given.startsWith('-');
  const closest = none ? undefined : closestOf(given, known);
  return new MusterError('USAGE', none ? `'${name}' needs a command` : `'${name}' has no command '${given}'`, {
    why: closest === undefined ? `there is ${known.join(', ')}` : `did you mean '${closest}'?`,
    fix: `${pathOf(command)} ${closest ?? known[0]}`,
  });
}

/** commander turns an option on if its variable is set, whatever the value. */
function dropWhatIsOff({ options }: Command, env: NodeJS.ProcessEnv): void {
  for (const { required, optional, envVar = '' } of options)
    if (!required && !optional && envVar in env && !isOn(env[envVar])) delete env[envVar];
}

/** Prints the error for the user and returns the exit code. */
export function report(error: unknown, program: Command, { json = false }: ProgramOptions = {}): ExitCode {
  if (error instanceof CommanderError && error.exitCode === 0) return exitCode.done;
  const shown = error instanceof CommanderError ? usageError(error, program) : asMusterError(error);
  // A refused argument is quoted, and may be a secret.
  if (json) process.stdout.write(`${masked(JSON.stringify({ error: jsonError(shown) }))}\n`);
  process.stderr.write(`${masked(describeError(shown))}\n`);
  if (process.env['MUSTER_DEBUG'] !== undefined && error instanceof Error)
    process.stderr.write(`${masked(error.stack ?? '')}\n`);
  return shown.exit;
}

/** What `--json` prints of an error. */
export const jsonError = (error: MusterError): object => ({
  ...toWireError(error),
  exit: error.exit,
  retryable: error.retryable,
});

/** `excessArguments`: a program that has an action of its own takes an unknown command for an argument. */
const NO_SUCH_COMMAND: ReadonlySet<string> = new Set([
  'commander.excessArguments',
  'commander.unknownCommand',
  'commander.help',
]);

/** The innermost command that was named, and the argument after it. */
function lastCommand(program: Command): [command: Command, given: string] {
  let command = program;
  for (const given of program.args) {
    const named = command.commands.find((each) => each.name() === given);
    if (named === undefined) return [command, given];
    command = named;
  }
  return [command, ''];
}

/** commander: "error: unknown option '--node'\n(Did you mean --nodes?)" */
function usageError({ code, message }: CommanderError, program: Command): MusterError {
  const [command, given] = lastCommand(program);
  if (command.commands.length > 0 && NO_SUCH_COMMAND.has(code)) return noSuchCommand(command, given);
  const [what = '', ...hints] = message.replace(/^error: /, '').split('\n');
  return new MusterError('USAGE', what, {
    why: hints.join(' ').replace(/[()]/g, '') || 'see the usage',
    fix: `${pathOf(command)} --help`,
  });
}

function asMusterError(error: unknown): MusterError {
  if (isMusterError(error)) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new MusterError('BUG', what, {
    why: 'this should not happen',
    fix: 'run again with MUSTER_DEBUG=1 and report what it prints',
  });
}

/** What `--version` prints; `manifest` is the program's package.json. */
export const versionIn = (manifest: URL): string =>
  (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;

/**
 * Aborts at the first SIGINT, SIGTERM or SIGHUP, with INTERRUPTED. For programs that run under npm and must stop their own child processes:
 * npm exits at once, and the terminal's SIGHUP follows.
 */
export function interruptions(): AbortSignal {
  const interruption = new AbortController();
  const onSignal = (signal: string): void =>
    interruption.abort(new MusterError('INTERRUPTED', 'interrupted', { why: `${signal} came` }));
  void untilSignal().then(onSignal);
  process.on('SIGHUP', onSignal);
  return interruption.signal;
}

/** Resolves at the first SIGINT or SIGTERM. A second one ends the process at once. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let wasTold = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (wasTold) process.exit(exitCode.interrupted);
      wasTold = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
