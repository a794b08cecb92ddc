import type { Option } from 'commander';
import { envOption } from './env-option.ts';

export interface BrokerTlsFlags {
  readonly amqpCa?: string;
  readonly amqpCert?: string;
  readonly amqpKey?: string;
}

/** Options of head and provider for an amqps:// broker. */
export const brokerTlsOptions = (): Option[] => [
  envOption('--amqp-ca <file>', 'authority of the certificate of an amqps:// broker', 'MUSTER_AMQP_CA'),
  envOption('--amqp-cert <file>', 'certificate to show to such a broker', 'MUSTER_AMQP_CERT'),
  envOption('--amqp-key <file>', 'the key of that certificate', 'MUSTER_AMQP_KEY'),
];
