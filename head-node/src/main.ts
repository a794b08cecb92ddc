/** `head-node`: reads the command line, starts the head, and stops it on SIGINT or SIGTERM. */
import {
  DEFAULT_HTTP_PORT,
  DEFAULT_PORT_BASE,
  formatBytes,
  formatDuration,
  PORT_BASE_RANGE,
  limits,
  parseDurationMs,
  parseSizeBytes,
  parseWhole,
  type BackboneReport,
} from '@muster/shared';
import {
  addConfigCommand,
  BROKER_URL,
  envOption,
  isLoopback,
  maskedLog,
  runProgram,
  untilSignal,
  versionIn,
} from '@muster/shared/io';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { pino } from 'pino';
import { BROKER_ADMIN, brokerOptions, brokerOptionsFrom, type BrokerFlags } from './cli/broker-flags.ts';
import { addAdminCommands } from './cli/admin-commands.ts';
import { writeJoinFiles } from './cli/join-files.ts';
import { startHeadNode, type HeadNode } from './head-node.ts';
import { blockMirrorModes, type BlockMirrorMode } from './io/block-mirror.ts';
import { jwtOptions, jwtOptionsFrom, type JwtFlags } from './cli/jwt-flags.ts';
import { headDefaults, resolveHeadNodeOptions, type HeadNodeOptions } from './options.ts';
import { LOCAL_PEER } from './trust/peer.ts';

interface Flags extends BrokerFlags, JwtFlags {
  readonly host: string;
  readonly portBase: number;
  readonly state?: string;
  readonly httpPort: number;
  readonly resultTtl: number;
  readonly maxDisk: number;
  readonly maxTasksPerUser: number;
  readonly maxDiskPerUser?: number;
  readonly maxLeasesPerUser: number;
  readonly mirrorBlocks: BlockMirrorMode;
  readonly mirrorBudget: number;
  readonly joinFiles?: string;
  readonly announce: boolean;
  readonly insecure?: boolean;
  readonly logLevel: string;
}

const program = new Command('head-node')
  .description('The head of a Muster cluster: takes tasks, splits them, gives the parts to providers.')
  .version(versionIn(new URL('../package.json', import.meta.url)))
  .addOption(envOption('--host <address>', 'address to listen on', 'MUSTER_HOST').default('127.0.0.1'))
  .addOption(
    envOption('--port-base <port>', 'first of five ports', 'MUSTER_PORT_BASE')
      .default(DEFAULT_PORT_BASE)
      .argParser((text) => parseWhole(text, '--port-base', PORT_BASE_RANGE)),
  )
  .addOption(envOption('--state <directory>', 'where tasks, operands and results are kept', 'MUSTER_STATE'))
  .addOption(
    envOption('--http-port <port>', 'health and metrics on 127.0.0.1; 0 for none', 'MUSTER_HTTP_PORT')
      .default(DEFAULT_HTTP_PORT)
      .argParser((text) => parseWhole(text, '--http-port', [0, 65_535])),
  )
  .addOption(
    envOption('--result-ttl <duration>', 'how long results can be fetched', 'MUSTER_RESULT_TTL')
      .default(headDefaults.resultTtlMs, formatDuration(headDefaults.resultTtlMs))
      .argParser((text) => parseDurationMs(text, '--result-ttl')),
  )
  .addOption(
    envOption('--max-disk <size>', 'disk for operands and results', 'MUSTER_MAX_DISK')
      .default(headDefaults.maxDiskBytes, formatBytes(headDefaults.maxDiskBytes))
      .argParser((text) => parseSizeBytes(text, '--max-disk')),
  )
  .addOption(
    envOption('--max-tasks-per-user <count>', 'unfinished tasks of one submitter', 'MUSTER_MAX_TASKS_PER_USER')
      .default(limits.tasksPerUser.value)
      .argParser((text) => parseWhole(text, '--max-tasks-per-user', [1, limits.openTasksMax.value])),
  )
  .addOption(
    envOption(
      '--max-disk-per-user <size>',
      'disk for operands and results of one submitter (default: half of --max-disk)',
      'MUSTER_MAX_DISK_PER_USER',
    ).argParser((text) => parseSizeBytes(text, '--max-disk-per-user')),
  )
  .addOption(
    envOption(
      '--max-leases-per-user <count>',
      'leases that nodes work on at a time for one submitter; more wait',
      'MUSTER_MAX_LEASES_PER_USER',
    )
      .default(limits.leasesPerUser.value)
      .argParser((text) => parseWhole(text, '--max-leases-per-user', [1, 1_000_000])),
  )
  .addOption(
    envOption(
      '--mirror-blocks <when>',
      'operands that the broker keeps for nodes that are cut off',
      'MUSTER_MIRROR_BLOCKS',
    )
      .choices(blockMirrorModes)
      .default(headDefaults.blockMirror.mode),
  )
  .addOption(
    envOption('--mirror-budget <size>', 'operand bytes of one task that the broker keeps', 'MUSTER_MIRROR_BUDGET')
      .default(headDefaults.blockMirror.budgetBytes, formatBytes(headDefaults.blockMirror.budgetBytes))
      .argParser((text) => parseSizeBytes(text, '--mirror-budget')),
  )
  .addOption(
    envOption(
      '--join-files <directory>',
      'at the start write join tokens to its provider/token and client/token, for programs that are started along with the head',
      'MUSTER_JOIN_FILES',
    ),
  )
  .addOption(envOption('--no-announce', 'do not tell the local network where the head is (mDNS)', 'MUSTER_NO_ANNOUNCE'))
  .addOption(envOption('--insecure', 'no keys and no encryption: on this machine only', 'MUSTER_INSECURE'))
  .addOption(
    envOption('--log-level <level>', 'what goes to stderr', 'MUSTER_LOG_LEVEL')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info'),
  );

for (const each of [...brokerOptions(), ...jwtOptions()]) program.addOption(each);

let action: () => Promise<void> = serve;
program.action(() => undefined);
addAdminCommands(program, {
  chosen: (chosen) => (action = chosen),
  portBase: () => program.opts<Flags>().portBase,
  stateDirectory: () => resolveHeadNodeOptions(placeFrom(program.opts<Flags>())).stateDirectory,
});
addConfigCommand(
  program,
  {
    secrets: [BROKER_URL, BROKER_ADMIN],
    otherwise: () => {
      const { stateDirectory } = resolveHeadNodeOptions(placeFrom(program.opts<Flags>()));
      return { '--state': { value: stateDirectory, from: 'default' } };
    },
  },
  (chosen) => (action = chosen),
);
await runProgram(program, () => action());

async function serve(): Promise<void> {
  const flags = program.opts<Flags>();
  // Before the start, so that a signal during it still leads to an orderly stop.
  const signal = untilSignal();
  const head = await startHeadNode(optionsFrom(flags));
  process.stderr.write(banner(head));
  if (flags.joinFiles !== undefined) writeJoinFiles(head.administration, flags.joinFiles);
  await signal;
  await head.stop();
}

function placeFrom({ portBase, state }: Flags): HeadNodeOptions {
  return state === undefined ? { portBase } : { portBase, stateDirectory: state };
}

function optionsFrom({
  state,
  httpPort,
  resultTtl,
  maxDisk,
  maxTasksPerUser,
  maxDiskPerUser,
  maxLeasesPerUser,
  logLevel,
  insecure = false,
  host,
  portBase,
  ...rest
}: Flags): HeadNodeOptions {
  const logger = pino({ level: logLevel }, maskedLog(pino.destination(2)));
  const options = {
    host,
    portBase,
    httpPort: httpPort === 0 ? null : httpPort,
    resultTtlMs: resultTtl,
    maxDiskBytes: maxDisk,
    quota: {
      tasks: maxTasksPerUser,
      leases: maxLeasesPerUser,
      ...(maxDiskPerUser === undefined ? {} : { bytes: maxDiskPerUser }),
    },
    ...brokerOptionsFrom(rest),
    jwt: jwtOptionsFrom(rest),
    announce: rest.announce,
    insecure,
    blockMirror: { mode: rest.mirrorBlocks, budgetBytes: rest.mirrorBudget },
    logger,
  };
  return state === undefined ? options : { ...options, stateDirectory: state };
}

function banner(head: HeadNode): string {
  const { options, httpPort, epoch } = head;
  const { host, portBase, stateDirectory } = options;
  // A wildcard address cannot be dialled.
  const reach = ['0.0.0.0', '::'].includes(host) ? hostname() : host;
  const where = host === '127.0.0.1' ? '' : ` --head ${reach}`;
  const base = portBase === DEFAULT_PORT_BASE ? '' : ` --port-base ${portBase}`;
  return [
    `head-node ready on ${host}:${portBase}..${portBase + 4} (start ${epoch}${options.insecure ? ', insecure: nothing is encrypted' : ''})`,
    `  cluster   ${head.cluster}`,
    `  state     ${stateDirectory}`,
    `  backbone  ${backboneLine(head.backbone())}`,
    `  status    ${httpPort === 0 ? 'no HTTP' : `http://127.0.0.1:${httpPort}/healthz`}`,
    `  add work  user-client --task matrix_mult --nodes 1 --size 2048${where}${base}`,
    `  add nodes provider-node${where}${base}, on this machine`,
    ...joinLines(head),
    '',
  ].join('\n');
}

/** Other machines cannot reach a head on loopback, so no token is printed for them. */
function joinLines({ options, administration }: HeadNode): string[] {
  if (isLoopback(options.host))
    return ['  others    none: this machine alone is served (--host 0.0.0.0 lets others join)'];
  const { token } = administration.createToken(LOCAL_PEER);
  return ['  add a machine (within 1 h, 10 of them): paste there', `    provider-node join ${token}`];
}

function backboneLine({ state, reason }: BackboneReport): string {
  if (state === 'off') return 'off (the journal alone; a broker with --amqp)';
  return `${state}${reason === '' ? '' : ` (${reason})`}`;
}
