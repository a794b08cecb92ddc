import { DEFAULT_PORT_BASE, MusterError, type Endpoint } from '@muster/shared';
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { auditTask } from './audit-command.ts';
import { closestOf } from './closest.ts';
import { withEnvironment, withJoined, type Flags } from './flags.ts';
import {
  cancelTask,
  fetchResult,
  listNodes,
  listTasks,
  showTask,
  watchTask,
  type TaskCommand,
} from './inspect-commands.ts';
import { logIn } from './login-command.ts';
import { resolveRun } from './run-options.ts';
import { runTask } from './run-task.ts';
import type { Session } from './session.ts';

/** What the command line asks for, ready to be started. */
export type Action = (session: Session) => Promise<void>;

interface Environment {
  readonly env: NodeJS.ProcessEnv;
  /** The head that is meant when none is named; null: 127.0.0.1. */
  readonly joined: () => Endpoint | null;
  /** Called while parsing, once. */
  readonly chosen: (action: Action) => void;
}

const AFTER_HELP = `
Every option can also be given as a variable: --port-base as MUSTER_PORT_BASE. An option wins over its variable.
With --json, stdout carries one JSON object and nothing else, after an error {"error": ...}; progress and errors are on stderr.

Examples:
  user-client --task matrix_mult --nodes 4 --size 4096
  user-client --task matrix_mult --nodes 2 --a A.npy --b B.npy --out C.npy
  user-client nodes ls

Exit codes: 0 done, 1 failed, 2 usage, 3 no head, 4 not authorised, 5 not enough nodes, 6 timeout, 7 verification failed, 65 bad data, 130 interrupted`;

export function buildProgram({ env, joined, chosen }: Environment): Command {
  const program = new Command('user-client')
    .description('Submit tasks to a Muster cluster, follow them and fetch their results.')
    // Before the subcommands are made: they inherit it.
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .enablePositionalOptions()
    .version(VERSION)
    .addHelpText('after', AFTER_HELP);
  const flagsOf = (command: Command): Flags =>
    withJoined(withEnvironment({ ...program.opts<Flags>(), ...command.opts<Flags>() }, env), joined);
  addTaskOptions(addCommonOptions(program)).action(() => {
    const [unknown] = program.args;
    if (unknown !== undefined) throw notACommand(program, unknown);
    const flags = flagsOf(program);
    chosen((session) => runTask(resolveRun(flags), session));
  });
  const act = (command: Command, run: (id: string, flags: Flags, session: Session) => Promise<void>): void => {
    addCommonOptions(command).action((id: unknown) => {
      const flags = flagsOf(command);
      chosen((session) => run(typeof id === 'string' ? id : '', flags, session));
    });
  };
  addTasks(program, act);
  const audit = program
    .command('audit <id>')
    .description('is every part of one accepted once, and do all records agree?');
  act(audit, auditTask);
  act(
    program.command('login [token]').description('join a cluster with a token; - reads it from standard input'),
    logIn,
  );
  const nodes = group(program, 'nodes', 'the machines of the cluster');
  act(nodes.command('ls').description('list them with state, device and measured rate'), (_id, flags, session) =>
    listNodes(flags, session),
  );
  // After the subcommands are made: they would inherit it.
  program.allowExcessArguments();
  return program;
}

const { version: VERSION } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A command of commands. What reaches it itself is none of them. */
function group(program: Command, name: string, description: string): Command {
  const command = program.command(name).description(description).usage('<command> [options]').argument('[command]');
  return command
    .allowUnknownOption()
    .allowExcessArguments()
    .action((given = '') => {
      throw notACommand(command, String(given));
    });
}

function notACommand(of: Command, given: string): MusterError {
  const name = of.name();
  const known = of.commands.map((command) => command.name());
  const closest = closestOf(given, known);
  const none = given === '' || given.startsWith('-');
  return new MusterError('USAGE', none ? `'${name}' needs a command` : `'${name}' has no command '${given}'`, {
    why: closest === undefined ? `there is ${known.join(', ')}` : `did you mean '${closest}'?`,
    fix: [...(of.parent === null ? [] : [of.parent.name()]), name, closest ?? known[0]].join(' '),
  });
}

function addTasks(program: Command, act: (command: Command, run: TaskCommand) => void): void {
  const tasks = group(program, 'tasks', 'tasks on the head');
  act(tasks.command('ls').description('list the latest'), (_id, flags, session) => listTasks(flags, session));
  act(tasks.command('show <id>').description('everything about one'), showTask);
  act(tasks.command('watch <id>').description('follow one until it ends'), watchTask);
  const result = tasks
    .command('result <id>')
    .description('fetch the result of one')
    .option('--out <file>', 'the .npy file to write');
  act(result, fetchResult);
  act(tasks.command('cancel <id>').description('stop one'), cancelTask);
}

const addCommonOptions = (command: Command): Command =>
  command
    .option('--head <host>', 'the head node (default: as logged in, or 127.0.0.1)')
    .option('--port-base <port>', `first of the ports of the head (default: ${DEFAULT_PORT_BASE})`)
    .option('--timeout <duration>', 'give up after this long, such as 90s or 10m (default for a task: 10m)')
    .option(
      '--blocks <way>',
      'auto: through the files of a head on this machine; wire: always over the network (default: auto)',
    )
    .option('--json', 'print one JSON object on stdout');

const addTaskOptions = (command: Command): Command =>
  command
    .option('--task <name>', 'matrix_mult or echo')
    .option('--nodes <count>', 'nodes to use (default: all that are ready)')
    .option('--size <n>', 'multiply two random matrices of n x n')
    .option('--a <file>', 'left operand, a .npy file')
    .option('--b <file>', 'right operand, a .npy file')
    .option('--out <file>', 'write the result to this .npy file (default: it stays on the head)')
    .option('--dtype <type>', 'float32, float64 or int8 (default: float32, or as the files are)')
    .option('--grid <cut>', 'auto, 1d, 2d or ROWSxCOLUMNS (default: auto)')
    .option('--seed <number>', 'of the random matrices (default: 1)')
    .option('--count <number>', 'echo: subtasks')
    .option('--bytes <number>', 'echo: bytes in each (default: 64)')
    .option('--batch <number>', 'echo: subtasks per lease (default: 64)')
    .option('--window <number>', 'echo: leases under way per node')
    .option('--durability <kind>', 'mirrored, strict or local: what a broker behind the head keeps (default: mirrored)')
    .option('--wait-nodes <duration>', 'wait so long for the nodes to be ready (default: 30s)')
    .option('--detach', 'leave the task running on the head and print its id');
