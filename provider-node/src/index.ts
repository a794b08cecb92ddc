export { startProviderNode, type ProviderNode } from './provider-node.ts';
export type { Compute, Done, Job } from './compute/index.ts';
export {
  devices,
  resolveProviderNodeOptions,
  type DeviceChoice,
  type ProviderNodeOptions,
  type ResolvedProviderNodeOptions,
} from './options.ts';
