export { startProviderNode, type ProviderNode } from './provider-node.ts';
export { deviceChoices, type DeviceChoice } from './compute/compute-protocol.ts';
export type { Compute, Done, Job } from './compute/index.ts';
export { resolveProviderNodeOptions, type ProviderNodeOptions, type ResolvedProviderNodeOptions } from './options.ts';
