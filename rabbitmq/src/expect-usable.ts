import { MusterError } from '@muster/shared';
import { brokerAccess, type BrokerTls } from './broker-access.ts';
import { parseBrokerUrl } from './broker-url.ts';
import { parseManagementUrl } from './management.ts';

export interface BrokerSettings {
  readonly url: string;
  /** URL of its management interface; null for none. */
  readonly adminUrl?: string | null;
  /** URL that providers use; null if it is `url`. */
  readonly publicUrl?: string | null;
  readonly tls: BrokerTls;
}

/** Checks what can be checked before connecting. Throws BACKBONE_REFUSED without quoting a password. */
export function expectBrokerUsable({ url, adminUrl = null, publicUrl = null, tls }: BrokerSettings): void {
  brokerAccess(url, tls);
  if (adminUrl !== null) parseManagementUrl(adminUrl);
  if (publicUrl !== null) parseBrokerUrl(publicUrl);
  const schemes = [url, adminUrl, publicUrl].map((each) => (each ?? '').split(':')[0]);
  if (Object.keys(tls).length > 0 && !schemes.some((scheme) => scheme === 'amqps' || scheme === 'https'))
    throw unencrypted();
}

/** TLS files but no TLS address: whoever gave the files believes that the connection is encrypted. */
const unencrypted = (): MusterError =>
  new MusterError('BACKBONE_REFUSED', 'nothing that goes to the broker would be encrypted', {
    why: 'there are certificates or keys for it, and its address does not start with amqps://',
    fix: 'AMQP_URL=amqps://..., or leave out --amqp-ca, --amqp-cert and --amqp-key',
  });
