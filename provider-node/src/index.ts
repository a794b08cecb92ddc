export { startProviderNode, type ProviderNode } from './provider-node.ts';
export {
  devices,
  resolveProviderNodeOptions,
  type DeviceChoice,
  type ProviderNodeOptions,
  type ResolvedProviderNodeOptions,
} from './options.ts';
