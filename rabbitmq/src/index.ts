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
export { hashPassword } from './password-hash.ts';
