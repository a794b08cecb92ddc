import { expectBrokerUsable, type BrokerTls } from '@muster/rabbitmq';
import { DEFAULT_PORT_BASE, MusterError, silentLogger, type Logger } from '@muster/shared';
import { defaultStateDirectory, endpointOf, loadMembership, type Membership } from '@muster/shared/io';
import { availableParallelism, hostname } from 'node:os';
import type { Compute } from './compute/compute.ts';
import type { DeviceChoice } from './compute/compute-protocol.ts';

export interface ProviderNodeOptions {
  /** Host name or address of the head. Default: the head that was joined, or 127.0.0.1. */
  readonly head?: string;
  /** First of the head's five ports. Default: that of the head that was joined, or 5555. */
  readonly portBase?: number;
  /** The node's name for people. Default: the host's name. */
  readonly name?: string;
  /** Identity, cached operands and unsent results live here. Default `~/.local/state/muster/provider-<name>`. */
  readonly stateDirectory?: string;
  readonly device?: DeviceChoice;
  /** Threads of a CPU device. Default all cores. */
  readonly threads?: number;
  /** Memory for operands and results; 0: half of what is free at the start. */
  readonly maxMemoryBytes?: number;
  /** Disk for cached operands. Default 16 GiB. */
  readonly maxDiskBytes?: number;
  /** 'auto' reads the head's store by path if that is proven to work, 'wire' never does. */
  readonly blocks?: 'auto' | 'wire';
  /** Broker that keeps a copy of all task and result traffic: `amqp://user:password@host:5672/vhost`; null: as the head says. Default null. */
  readonly amqpUrl?: string | null;
  /** For `amqps://`; takes precedence over the certificate authority that the head hands out. */
  readonly amqpTls?: BrokerTls;
  readonly logger?: Logger;
  /** Called with a line for people: joined, lost the head, left. */
  readonly onStatus?: (line: string) => void;
  /** For tests of the head's verification: makes the compute process return wrong results. No command line sets it. */
  readonly tamper?: string;
  /** For measurements of the head: replaces the device. No command line sets it. */
  readonly compute?: Compute;
}

export type ResolvedProviderNodeOptions = {
  readonly [K in Exclude<keyof ProviderNodeOptions, 'tamper' | 'compute'>]-?: Exclude<
    ProviderNodeOptions[K],
    undefined
  >;
} & Pick<ProviderNodeOptions, 'tamper' | 'compute'> & {
    /** The cluster that this state directory has joined; null for none. */
    readonly membership: Membership | null;
  };

export function resolveProviderNodeOptions(options: ProviderNodeOptions): ResolvedProviderNodeOptions {
  const name = options.name ?? hostname();
  if (!/^[\w.-]{1,64}$/.test(name))
    throw new MusterError('USAGE', '--name needs 1 to 64 letters, digits, dots, dashes or underscores', {
      why: `got '${name}'`,
      fix: '--name my-laptop',
    });
  const { amqpUrl = null, amqpTls = {} } = options;
  if (amqpUrl !== null) expectBrokerUsable({ url: amqpUrl, tls: amqpTls });
  const stateDirectory = options.stateDirectory ?? defaultStateDirectory(`provider-${name}`);
  const membership = loadMembership(stateDirectory);
  return Object.freeze({
    ...headOf(options, membership),
    name,
    stateDirectory,
    membership,
    device: options.device ?? 'auto',
    threads: options.threads ?? availableParallelism(),
    maxMemoryBytes: options.maxMemoryBytes ?? 0,
    maxDiskBytes: options.maxDiskBytes ?? 16 * 2 ** 30,
    blocks: options.blocks ?? 'auto',
    amqpUrl,
    amqpTls,
    logger: options.logger ?? silentLogger,
    onStatus: options.onStatus ?? (() => undefined),
    ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
    ...(options.compute === undefined ? {} : { compute: options.compute }),
  });
}

/** An address given explicitly wins over the joined one. */
function headOf(
  { head, portBase }: ProviderNodeOptions,
  membership: Membership | null,
): Pick<ResolvedProviderNodeOptions, 'head' | 'portBase'> {
  if (head !== undefined || portBase !== undefined || membership === null)
    return { head: head ?? '127.0.0.1', portBase: portBase ?? DEFAULT_PORT_BASE };
  const joined = endpointOf(membership);
  return { head: joined.host, portBase: joined.portBase };
}
