import { DEFAULT_PORT_BASE, type Endpoint } from '@muster/shared';
import { noSuchCommand } from '@muster/shared/io';
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { auditTask } from './audit-command.ts';
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

/** What the command line asks for, ready to run. */
export type Action = (session: Session) => Promise<void>;

interface Environment {
  readonly env: NodeJS.ProcessEnv;
  /** The head to use when none is named; null: 127.0.0.1. */
  readonly joined: () => Endpoint | null;
  /** Called once, during parsing. */
  readonly chosen: (action: Action) => void;
}

const AFTER_HELP = `
Every option can also be given as a variable: --port-base as MUSTER_PORT_BASE. An option wins over its variable.
With --json, stdout carries one JSON object and nothing else, after an error {"error": ...}; progress and errors are on stderr.

Examples:
  user-client --task matrix_mult --nodes 4 --size 4096
  user-client --task matrix_mult --nodes 2 --a A.npy --b B.npy --out C.npy
  user-client --task train --nodes 2 --model lenet --data synthetic --epochs 5 --onnx M.onnx
  user-client --task infer --nodes 2 --model M.onnx --input X.npy --out Y.npy
  user-client nodes ls

Exit codes: 0 done, 1 failed, 2 usage, 3 no head, 4 not authorised, 5 not enough nodes, 6 timeout, 7 verification failed, 65 bad data, 130 interrupted`;

export function buildProgram({ env, joined, chosen }: Environment): Command {
  const program = new Command('user-client')
    .description('Submit tasks to a Muster cluster, follow them and fetch their results.')
    .enablePositionalOptions()
    .version(VERSION)
    .addHelpText('after', AFTER_HELP);
  const flagsOf = (command: Command): Flags =>
    withJoined(withEnvironment({ ...program.opts<Flags>(), ...command.opts<Flags>() }, env), joined);
  addTaskOptions(addCommonOptions(program)).action(() => {
    const [unknown] = program.args;
    if (unknown !== undefined) throw noSuchCommand(program, unknown);
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
  // Set after the subcommands are created, because they would inherit it.
  program.allowExcessArguments();
  return program;
}

const { version: VERSION } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A command group; its own action runs only for an unknown or missing subcommand. */
function group(program: Command, name: string, description: string): Command {
  const command = program.command(name).description(description).usage('<command> [options]').argument('[command]');
  return command
    .allowUnknownOption()
    .allowExcessArguments()
    .action((given = '') => {
      throw noSuchCommand(command, String(given));
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
    .option('--out <file>', 'the file to write: .npy, or .safetensors with the checkpoint of a training run');
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
  [addEveryTask, addProduct, addTraining, addInference, addEcho].reduce((options, add) => add(options), command);

const addEveryTask = (command: Command): Command =>
  command
    .optionsGroup('Any task:')
    .option('--task <name>', 'matrix_mult, train, infer or echo')
    .option('--nodes <count>', 'nodes to use (default: all that are ready)')
    .option('--out <file>', 'write the result to this file: .npy, or .safetensors of a training run')
    .option('--durability <kind>', 'mirrored, strict or local: what a broker behind the head keeps (default: mirrored)')
    .option('--wait-nodes <duration>', 'wait so long for the nodes to be ready (default: 30s)')
    .option('--detach', 'leave the task running on the head and print its id')
    .option('--seed <number>', 'of random matrices (default: 1), or of a training run (default: 0)')
    .option('--batch <number>', 'train: samples of a step (default: 128); echo: subtasks per lease (default: 64)')
    .option('--model <name>', 'train: mlp, lenet or MODEL.json; infer: an .onnx file');

const addProduct = (command: Command): Command =>
  command
    .optionsGroup('matrix_mult:')
    .option('--size <n>', 'multiply two random matrices of n x n')
    .option('--a <file>', 'left operand, a .npy file')
    .option('--b <file>', 'right operand, a .npy file')
    .option('--dtype <type>', 'float32, float64 or int8 (default: float32, or as the files are)')
    .option('--grid <cut>', 'auto, 1d, 2d or ROWSxCOLUMNS (default: auto)');

const addTraining = (command: Command): Command =>
  addExchange(
    command
      .optionsGroup('train:')
      .option('--data <source>', 'a directory of IDX files, .npy, .npz, .csv, or synthetic[:SAMPLES]')
      .option(
        '--classes <number>',
        'of the samples (default: as many as the model has outputs, or the largest label needs)',
      )
      .option('--epochs <number>', 'passes over the training set (default: 10)')
      .option('--optimizer <name>', 'sgd, momentum, nesterov, adam or adamw (default: momentum)')
      .option('--lr <number>', 'peak of the learning rate (default: by optimizer and schedule)')
      .option('--momentum <number>', 'of momentum and nesterov (default: 0.9)')
      .option('--weight-decay <number>', '(default: 0, of adamw 0.01)')
      .option('--schedule <name>', 'constant, cosine or step (default: cosine)')
      .option('--warmup-steps <number>', 'steps in which the learning rate grows from nothing (default: 0)')
      .option('--clip-norm <number>', 'largest norm of a gradient (default: not clipped)')
      .option('--deterministic', 'the same weights, bit by bit, for any number of nodes of one kind'),
  );

const addExchange = (command: Command): Command =>
  command
    .option('--compress <how>', 'gradients: none, bf16, int8 or topk:1% (default: none)')
    .option('--local-steps <number>', 'steps that each node makes alone between two exchanges (default: 1)')
    .option('--aggregator <name>', 'mean, trimmed-mean or median (default: mean)')
    .option('--checkpoint-every <duration>', '(default: 10s)')
    .option('--resume <task>', 'go on from the checkpoint of a task, or from a file')
    .option('--onnx <file>', 'write the trained model to this .onnx file');

const addInference = (command: Command): Command =>
  command
    .optionsGroup('infer:')
    .option('--input <file>', 'rows to run the model on, a .npy file')
    .option('--rows-per-block <number>', 'rows of a subtask (default: about 1 MiB)')
    .option('--output-shape <sides>', 'of one row, such as 10 or 3,5, where the model does not say it');

const addEcho = (command: Command): Command =>
  command
    .optionsGroup('echo:')
    .option('--count <number>', 'subtasks')
    .option('--bytes <number>', 'bytes in each (default: 64)')
    .option('--window <number>', 'leases under way per node');
