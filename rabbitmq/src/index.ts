export type {
  Backbone,
  BackboneState,
  BackboneStatus,
  Delivery,
  Destination,
  OnDelivery,
  OnSettled,
  Publication,
  PublicationOutcome,
  QueueSource,
  Since,
  StreamSource,
  Subscription,
} from './backbone.ts';
export { openBackbone, type BackboneOptions } from './rabbit-backbone.ts';
export type { BrokerTls } from './broker-access.ts';
export { expectBrokerUsable, type BrokerSettings } from './expect-usable.ts';
export { ProviderAccounts, reachableFrom, type ProviderAccountsOptions } from './provider-accounts.ts';
export { providerRights, providerUser, type Rights } from './provider-rights.ts';
export { readTlsFiles, type TlsFiles } from './tls-files.ts';
export { hashPassword } from './password-hash.ts';
