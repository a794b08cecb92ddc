/** `provider-node`: reads the command line, measures this machine, and works for the head until SIGINT or SIGTERM. */
import { readTlsFiles } from '@muster/rabbitmq';
import { DEFAULT_PORT_BASE, formatBytes, plural, PORT_BASE_RANGE, parseSizeBytes, parseWhole } from '@muster/shared';
import {
  addConfigCommand,
  BROKER_URL,
  brokerTlsOptions,
  envOption,
  expectJoinToken,
  JOIN_TOKEN,
  maskedLog,
  runProgram,
  takeBrokerUrl,
  takeJoinToken,
  untilSignal,
  versionIn,
  type BrokerTlsFlags,
} from '@muster/shared/io';
import { Command } from 'commander';
import { pino } from 'pino';
import { discoverFor, printHeads } from './discovery.ts';
import { joinCluster } from './join.ts';
import { deviceChoices, type DeviceChoice } from './compute/compute-protocol.ts';
import { resolveProviderNodeOptions, type ProviderNodeOptions } from './options.ts';
import { startProviderNode, type ProviderNode } from './provider-node.ts';

interface Flags extends BrokerTlsFlags {
  readonly head?: string;
  readonly portBase?: number;
  readonly name?: string;
  readonly state?: string;
  readonly device: DeviceChoice;
  readonly threads?: number;
  readonly maxMemory?: number;
  readonly maxDisk?: number;
  readonly blocks: 'auto' | 'wire';
  readonly amqp?: string;
  readonly logLevel: string;
}

/** Enough for tiles of one stripe, their operands and the runtime. */
const MEMORY_MIN_BYTES = 64 * 2 ** 20;
/** Enough for the operands of a few such tiles. */
const DISK_MIN_BYTES = 64 * 2 ** 20;

const program = new Command('provider-node')
  .description('Lends this machine to a Muster cluster.')
  .version(versionIn(new URL('../package.json', import.meta.url)))
  .addOption(envOption('--head <host>', 'where the head runs (default: as joined, or 127.0.0.1)', 'MUSTER_HEAD'))
  .addOption(
    envOption(
      '--port-base <port>',
      `first of the head's five ports (default: as joined, or ${DEFAULT_PORT_BASE})`,
      'MUSTER_PORT_BASE',
    ).argParser((text) => parseWhole(text, '--port-base', PORT_BASE_RANGE)),
  )
  .addOption(envOption('--name <name>', "how people see this node (default: the host's name)", 'MUSTER_NAME'))
  .addOption(envOption('--state <directory>', 'where identity and cached operands are kept', 'MUSTER_STATE'))
  .addOption(envOption('--device <device>', 'what computes', 'MUSTER_DEVICE').choices(deviceChoices).default('auto'))
  .addOption(
    envOption('--threads <count>', 'threads of a CPU device (default: all cores)', 'MUSTER_THREADS').argParser((text) =>
      parseWhole(text, '--threads', [1, 1024]),
    ),
  )
  .addOption(
    envOption(
      '--max-memory <size>',
      'memory for operands and results (default: half of what is free)',
      'MUSTER_MAX_MEMORY',
    ).argParser((text) => parseSizeBytes(text, '--max-memory', MEMORY_MIN_BYTES)),
  )
  .addOption(
    envOption('--max-disk <size>', 'disk for cached operands (default: 16G)', 'MUSTER_MAX_DISK').argParser((text) =>
      parseSizeBytes(text, '--max-disk', DISK_MIN_BYTES),
    ),
  )
  .addOption(
    envOption('--blocks <way>', "auto: read the head's files where both share a machine; wire: never", 'MUSTER_BLOCKS')
      .choices(['auto', 'wire'])
      .default('auto'),
  )
  .addOption(
    envOption(
      '--amqp <url>',
      "the head's broker: amqp://user:password@host/vhost; with it, work goes on while the head is away (default: as the head says)",
      'AMQP_URL',
    ),
  )
  .addOption(
    envOption('--log-level <level>', 'what goes to stderr', 'MUSTER_LOG_LEVEL')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('warn'),
  );

for (const each of brokerTlsOptions()) program.addOption(each);

let action: () => Promise<void> = work;
let joining: { readonly token: string | undefined; readonly discover: boolean } | null = null;
program.action(() => undefined);
program
  .command('join [token]')
  .description('join the cluster of this token, remember it, and work for it; - reads the token from standard input')
  .option('--discover', 'look for the head on this network (mDNS), as the token may not say where it is now')
  .action(
    (token: string | undefined, { discover = false }: { discover?: boolean }) => void (joining = { token, discover }),
  );
program
  .command('discover')
  .description('list the heads that announce themselves on this network (mDNS)')
  .action(() => void (action = printHeads));

addConfigCommand(program, { secrets: [BROKER_URL, JOIN_TOKEN], otherwise: holding }, (chosen) => (action = chosen));
await runProgram(program, () => action());

async function work(): Promise<void> {
  const flags = program.opts<Flags>();
  // Installed first, so that a signal during start-up still ends in an orderly stop.
  const signal = untilSignal();
  const options = optionsFrom(flags);
  await joinIfAsked(options);
  say('measuring this machine...');
  const provider = await startProviderNode(options);
  say(measured(provider));
  void provider.joined.catch(() => undefined);
  await Promise.race([signal, provider.joined.then(() => new Promise<never>(() => undefined))]);
  await provider.stop();
}

/** Joins with the token of the command, or with one in the environment if this provider has joined nothing yet. */
async function joinIfAsked(options: ProviderNodeOptions): Promise<void> {
  if (joining !== null) {
    const line = expectJoinToken(joining.token);
    const found = joining.discover ? await discoverFor(line, say) : [];
    return say(await joinCluster(options, line, found));
  }
  const { membership } = resolveProviderNodeOptions(options);
  const line = membership === null ? takeJoinToken(undefined) : null;
  if (line !== null) say(await joinCluster(options, line));
}

/** Values in effect for options that nothing sets, for the `config` command. */
function holding(): Record<string, { readonly value: string; readonly from: string }> {
  const { membership, ...found } = resolveProviderNodeOptions(placeFrom(program.opts<Flags>()));
  const from = membership === null ? 'default' : 'membership';
  const { name, stateDirectory, head, portBase, threads, maxDiskBytes } = found;
  const defaults = {
    '--name': name,
    '--state': stateDirectory,
    '--threads': threads,
    '--max-memory': 'half of what is free',
  };
  const fixed = { ...defaults, '--max-disk': formatBytes(maxDiskBytes), '--amqp': 'as the head says' };
  return {
    ...Object.fromEntries(
      Object.entries(fixed).map(([flag, value]) => [flag, { value: String(value), from: 'default' }]),
    ),
    '--head': { value: head, from },
    '--port-base': { value: String(portBase), from },
  };
}

function placeFrom({ name, state, head, portBase }: Flags): ProviderNodeOptions {
  return {
    ...(head === undefined ? {} : { head }),
    ...(portBase === undefined ? {} : { portBase }),
    ...(name === undefined ? {} : { name }),
    ...(state === undefined ? {} : { stateDirectory: state }),
  };
}

function optionsFrom({ threads, maxMemory, maxDisk, ...rest }: Flags): ProviderNodeOptions {
  return {
    ...placeFrom(rest),
    device: rest.device,
    blocks: rest.blocks,
    amqpUrl: takeBrokerUrl(rest.amqp),
    amqpTls: readTlsFiles({ ca: rest.amqpCa, cert: rest.amqpCert, key: rest.amqpKey }),
    logger: pino({ level: rest.logLevel }, maskedLog(pino.destination(2))),
    onStatus: say,
    ...(threads === undefined ? {} : { threads }),
    ...(maxMemory === undefined ? {} : { maxMemoryBytes: maxMemory }),
    ...(maxDisk === undefined ? {} : { maxDiskBytes: maxDisk }),
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function measured({ options, device }: ProviderNode): string {
  const { gflops, refused } = device;
  const lines = [
    `${options.name}: ${device.label} (${device.kind}), ${plural(device.threads, 'thread')}, ${formatBytes(device.memoryBytes)}`,
    `  measured float32 ${gflops.float32.toFixed(0)}, float64 ${gflops.float64.toFixed(0)} GFLOP/s, int8 ${gflops.int8.toFixed(0)} GOP/s`,
    ...refused.map(({ ep, reason }) => `  not ${ep}: ${reason}`),
  ];
  return lines.join('\n');
}
