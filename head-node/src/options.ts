import { expectBrokerUsable, type BrokerTls } from '@muster/rabbitmq';
import {
  DEFAULT_HTTP_PORT,
  DEFAULT_PORT_BASE,
  MusterError,
  PORT_BASE_RANGE,
  silentLogger,
  type Logger,
} from '@muster/shared';
import { defaultStateDirectory, isLoopback } from '@muster/shared/io';
import { defaultPolicy, defaultQuota, type Quota } from './core/policy.ts';
import type { BlockMirrorPolicy } from './io/block-mirror.ts';
import type { JwtOptions } from './trust/jwt.ts';

export interface HeadNodeOptions {
  /** Address to listen on. Anything but loopback lets other machines in. Default 127.0.0.1. */
  readonly host?: string;
  /** First of five ports. Default 5555. */
  readonly portBase?: number;
  /** Where the journal, operands and results live. Default `~/.local/state/muster/head-<port base>`. */
  readonly stateDirectory?: string;
  /** Health and metrics on 127.0.0.1; null for none. Default 8080. */
  readonly httpPort?: number | null;
  /** Results can be fetched for this long. Default 24 h. */
  readonly resultTtlMs?: number;
  /** Operands and results may take this much disk. Default 64 GiB. */
  readonly maxDiskBytes?: number;
  /** Limits of each submitter. Default: 100 unfinished tasks, half of the disk, 400 leases. */
  readonly quota?: Partial<Quota>;
  /** Broker that keeps a copy of all task and result traffic: `amqp://user:password@host:5672/vhost`; null for none. Default none. */
  readonly amqpUrl?: string | null;
  /** The broker's management interface, used to make a broker user for each provider. Null for none. Default none. */
  readonly amqpAdminUrl?: string | null;
  /** Where providers reach the broker: `amqps://host:5671`; null: where the head does. */
  readonly amqpPublicUrl?: string | null;
  /** TLS settings for `amqps://` and `https://`. */
  readonly amqpTls?: BrokerTls;
  /** Operand blocks in the broker. Default `always`, up to 2 GiB for each task. */
  readonly blockMirror?: BlockMirrorPolicy;
  /** Announce the head on the local network (mDNS), if it listens beyond loopback. Default true. */
  readonly announce?: boolean;
  /** The issuer whose JWTs the HTTP interface accepts; null for none. Default none. */
  readonly jwt?: JwtOptions | null;
  /** No keys and no encryption on TCP, for experiments: on loopback only. Default false. */
  readonly insecure?: boolean;
  readonly logger?: Logger;
}

export type ResolvedHeadNodeOptions = {
  readonly [K in keyof Omit<HeadNodeOptions, 'quota'>]-?: Exclude<HeadNodeOptions[K], undefined>;
} & { readonly quota: Quota };

export const headDefaults = {
  maxDiskBytes: 64 * 2 ** 30,
  resultTtlMs: defaultPolicy.resultTtlMs,
  blockMirror: { mode: 'always', budgetBytes: 2 * 2 ** 30 } satisfies BlockMirrorPolicy,
} as const;

export function resolveHeadNodeOptions(options: HeadNodeOptions): ResolvedHeadNodeOptions {
  const portBase = options.portBase ?? DEFAULT_PORT_BASE;
  const [portMin, portMax] = PORT_BASE_RANGE;
  if (!Number.isInteger(portBase) || portBase < portMin || portBase > portMax) {
    throw new MusterError('USAGE', `--port-base needs a whole number from ${portMin} to ${portMax}`, {
      why: `got ${portBase}`,
      fix: `--port-base ${DEFAULT_PORT_BASE}`,
    });
  }
  const { host = '127.0.0.1', insecure = false, maxDiskBytes = headDefaults.maxDiskBytes } = options;
  if (insecure && !isLoopback(host)) throw insecureOutside(host);
  const broker = brokerOf(options);
  return Object.freeze({
    host,
    portBase,
    stateDirectory: options.stateDirectory ?? defaultStateDirectory(`head-${portBase}`),
    httpPort: options.httpPort === undefined ? DEFAULT_HTTP_PORT : options.httpPort,
    resultTtlMs: options.resultTtlMs ?? headDefaults.resultTtlMs,
    maxDiskBytes,
    quota: { ...defaultQuota, bytes: maxDiskBytes / 2, ...options.quota },
    ...broker,
    blockMirror: options.blockMirror ?? headDefaults.blockMirror,
    announce: options.announce ?? true,
    jwt: options.jwt ?? null,
    insecure,
    logger: options.logger ?? silentLogger,
  });
}

type Broker = Pick<ResolvedHeadNodeOptions, 'amqpUrl' | 'amqpAdminUrl' | 'amqpPublicUrl' | 'amqpTls'>;

function brokerOf({
  amqpUrl = null,
  amqpAdminUrl = null,
  amqpPublicUrl = null,
  amqpTls = {},
}: HeadNodeOptions): Broker {
  const broker = { amqpUrl, amqpAdminUrl, amqpPublicUrl, amqpTls };
  if (amqpUrl !== null)
    expectBrokerUsable({ url: amqpUrl, adminUrl: amqpAdminUrl, publicUrl: amqpPublicUrl, tls: amqpTls });
  else if (amqpAdminUrl !== null || amqpPublicUrl !== null || Object.keys(amqpTls).length > 0) throw brokerMissing();
  return broker;
}

const brokerMissing = (): MusterError =>
  new MusterError('USAGE', 'there are options for a broker, and no broker', {
    why: '--amqp-... is given, but neither --amqp nor AMQP_URL',
    fix: 'AMQP_URL=amqp://user:password@host/vhost, or leave the others out',
  });

const insecureOutside = (host: string): MusterError =>
  new MusterError('USAGE', '--insecure works on this machine only', {
    why: `with --host ${host} everybody who reaches this machine could use the cluster`,
    fix: 'leave --insecure out, or use --host 127.0.0.1',
  });
