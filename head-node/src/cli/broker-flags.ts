/** Command line options for the broker, kept apart because only the broker's part of the head reads them. */
import { readTlsFiles } from '@muster/rabbitmq';
import {
  brokerTlsOptions,
  envOption,
  takeBrokerUrl,
  takeSecret,
  type BrokerTlsFlags,
  type SecretOption,
} from '@muster/shared/io';
import type { Option } from 'commander';
import type { HeadNodeOptions } from '../options.ts';

export interface BrokerFlags extends BrokerTlsFlags {
  readonly amqp?: string;
  readonly amqpAdmin?: string;
  readonly amqpPublic?: string;
}

export const BROKER_ADMIN: SecretOption = {
  variable: 'MUSTER_AMQP_ADMIN',
  flag: '--amqp-admin',
  what: "the URL of the broker's management interface",
};

export const brokerOptions = (): Option[] => [
  envOption('--amqp <url>', 'broker that keeps a copy of all traffic: amqp://user:password@host/vhost', 'AMQP_URL'),
  envOption(
    '--amqp-admin <url>',
    "the broker's management interface, with which each provider gets a user of its own: http://user:password@host:15672",
    BROKER_ADMIN.variable,
  ),
  envOption(
    '--amqp-public <url>',
    'where providers reach the broker, if not there: amqps://host:5671',
    'MUSTER_AMQP_PUBLIC',
  ),
  ...brokerTlsOptions(),
];

/** Takes passwords out of the environment. Throws USAGE for files that cannot be read. */
export const brokerOptionsFrom = (
  flags: BrokerFlags,
): Required<Pick<HeadNodeOptions, 'amqpUrl' | 'amqpAdminUrl' | 'amqpPublicUrl' | 'amqpTls'>> => ({
  amqpUrl: takeBrokerUrl(flags.amqp),
  amqpAdminUrl: takeSecret(flags.amqpAdmin, BROKER_ADMIN),
  amqpPublicUrl: flags.amqpPublic ?? null,
  amqpTls: readTlsFiles({ ca: flags.amqpCa, cert: flags.amqpCert, key: flags.amqpKey }),
});
