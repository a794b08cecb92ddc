/** Everything the provider's core may request. */
import type { SessionId, WireError } from '@muster/shared';
import type { HeldWork } from './provider-state.ts';

export type ProviderEffect =
  /** Fetch the lease's blocks to this machine; `fetched` or `fetch-failed` follows. */
  | { readonly type: 'fetch'; readonly held: HeldWork }
  | { readonly type: 'compute'; readonly held: HeldWork }
  /** Inline work: the result is the payload that came with the lease. */
  | { readonly type: 'answer'; readonly session: SessionId | null; readonly held: HeldWork }
  /** The compute process works on a revoked lease: abort it if it does not end soon. */
  | { readonly type: 'abort-soon'; readonly lease: number }
  /** To the head if one is connected, and to the broker if the lease is mirrored. */
  | { readonly type: 'send-result'; readonly session: SessionId | null; readonly held: HeldWork }
  | { readonly type: 'send-failure'; readonly session: SessionId; readonly held: HeldWork; readonly error: WireError }
  /** The lease is over: unpin its operands and remove its result, if there is one. */
  | { readonly type: 'release'; readonly held: HeldWork };
