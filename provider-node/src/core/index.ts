/** The provider's core as a subpath of its own, for the simulator, which drives it without the provider's sockets and device. */
export type { ProviderEffect } from './effects.ts';
export type { ProviderEvent } from './events.ts';
export { handle, offer } from './handle.ts';
export { LeaseCopies } from './lease-copies.ts';
export { newProviderState, type HeldWork, type ProviderState } from './provider-state.ts';
