/** Everything the provider's core may ask for. */
import type { SessionId, WireError } from '@muster/shared';
import type { HeldWork } from './provider-state.ts';

export type ProviderEffect =
  /** Bring the blocks of this lease here; `fetched` or `fetch-failed` follows. */
  | { readonly type: 'fetch'; readonly held: HeldWork }
  | { readonly type: 'compute'; readonly held: HeldWork }
  /** Answer it on the spot; the result goes out with the bytes that came with it. */
  | { readonly type: 'answer'; readonly session: SessionId | null; readonly held: HeldWork }
  /** The compute process works on something that nobody wants: stop it if it does not end soon. */
  | { readonly type: 'abort-soon'; readonly lease: number }
  /** To the head, if there is one; to the broker, if there is one. */
  | { readonly type: 'send-result'; readonly session: SessionId | null; readonly held: HeldWork }
  | { readonly type: 'send-failure'; readonly session: SessionId; readonly held: HeldWork; readonly error: WireError }
  /** Its operands need not stay, and its result, if it is here, may go. */
  | { readonly type: 'release'; readonly held: HeldWork };
