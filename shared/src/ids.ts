/**
 * Ids are short hex strings, branded so that one kind is never passed for another.
 * A subtask needs no id of its own: it is (task, index); an attempt is (task, index, attempt).
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 16 hex digits, drawn at random by the client, so that a submission sent twice is one task. */
export type TaskId = Branded<'TaskId'>;
/** 16 hex digits, drawn by a provider once and kept on its disk. */
export type ProviderId = Branded<'ProviderId'>;
/** 32 hex digits, drawn by the head at each registration; names the provider's topic, and its owner is checked on every message. */
export type SessionId = Branded<'SessionId'>;
/** 32 hex digits: the first 128 bits of the BLAKE3 hash of a block's bytes. */
export type BlockId = Branded<'BlockId'>;

/** Lease numbers of different epochs of the head never collide: the epoch is in their upper part. */
const LEASES_PER_EPOCH = 2 ** 32;

export const firstLeaseOf = (epoch: number): number => epoch * LEASES_PER_EPOCH + 1;
export const epochOf = (lease: number): number => Math.floor(lease / LEASES_PER_EPOCH);

const TASK_ID = /^[0-9a-f]{16}$/;
const SESSION_ID = /^[0-9a-f]{32}$/;

export const isTaskId = (text: string): text is TaskId => TASK_ID.test(text);
export const isProviderId = (text: string): text is ProviderId => TASK_ID.test(text);
export const isSessionId = (text: string): text is SessionId => SESSION_ID.test(text);
export const isBlockId = (text: string): text is BlockId => SESSION_ID.test(text);
