/**
 * Limits how often an address may shake hands, and how long unknown keys from it get no answer after too many failures. libzmq asks only
 * after its own cryptography, so this saves look-ups, lines in the audit log and connections that stay, but not that cryptography.
 */
import { limits } from '@muster/shared';

export interface HandshakeRules {
  /** Handshakes in a row from an address that was quiet before. */
  readonly burst: number;
  readonly perSecond: number;
  /** Failures within a minute after which an address is paused. */
  readonly failures: number;
  readonly firstPauseMs: number;
  /** Each pause is twice as long as the one before, up to this; they start over when this time has passed since the last one ended. */
  readonly maxPauseMs: number;
  /** How many are remembered; the least recently seen is forgotten first. */
  readonly addresses: number;
}

export const defaultHandshakeRules: HandshakeRules = {
  burst: limits.handshakeBurst.value,
  perSecond: limits.handshakesPerSecond.value,
  failures: limits.failedHandshakes.value,
  firstPauseMs: 10_000,
  maxPauseMs: limits.handshakePauseMs.value,
  addresses: limits.addressesWatched.value,
};

const MINUTE_MS = 60_000;

interface Conduct {
  /** Handshakes that it may make now, as of `seenAtMs`. */
  allowance: number;
  seenAtMs: number;
  failures: number;
  /** Time of the first failure that is counted. */
  failingSinceMs: number;
  pauses: number;
  pausedUntilMs: number;
}

/** null: not yet; else the pause that begins with this failure. */
export type Pause = { readonly ms: number } | null;

export class HandshakeLimits {
  readonly #rules: HandshakeRules;
  /** By network, the least recently seen first. */
  readonly #conducts = new Map<string, Conduct>();

  constructor(rules: HandshakeRules = defaultHandshakeRules) {
    this.#rules = rules;
  }

  /** False for an address that shakes hands too often. Refused attempts use up nothing: it is let in again as soon as the rate allows. */
  allows(address: string, nowMs: number): boolean {
    const { burst, perSecond } = this.#rules;
    const conduct = this.#conductOf(address, nowMs);
    const gainedMs = Math.max(0, nowMs - conduct.seenAtMs);
    conduct.allowance = Math.min(burst, conduct.allowance + (gainedMs / 1000) * perSecond);
    conduct.seenAtMs = nowMs;
    if (conduct.allowance < 1) return false;
    conduct.allowance -= 1;
    return true;
  }

  isPaused(address: string, nowMs: number): boolean {
    return this.pauseLeftMs(address, nowMs) > 0;
  }

  pauseLeftMs(address: string, nowMs: number): number {
    return Math.max(0, (this.#conducts.get(networkOf(address))?.pausedUntilMs ?? 0) - nowMs);
  }

  /** Counts a handshake with an unknown key. */
  failed(address: string, nowMs: number): Pause {
    const { failures, firstPauseMs, maxPauseMs } = this.#rules;
    const conduct = this.#conductOf(address, nowMs);
    if (nowMs - conduct.failingSinceMs > MINUTE_MS) Object.assign(conduct, { failures: 0, failingSinceMs: nowMs });
    if (nowMs - conduct.pausedUntilMs > maxPauseMs) conduct.pauses = 0;
    conduct.failures += 1;
    if (conduct.failures < failures) return null;
    const ms = Math.min(maxPauseMs, firstPauseMs * 2 ** conduct.pauses);
    Object.assign(conduct, { failures: 0, pauses: conduct.pauses + 1, pausedUntilMs: nowMs + ms });
    return { ms };
  }

  #conductOf(address: string, nowMs: number): Conduct {
    const network = networkOf(address);
    const conduct = this.#conducts.get(network) ?? this.#stranger(nowMs);
    this.#conducts.delete(network);
    this.#conducts.set(network, conduct);
    const [oldest] = this.#conducts.keys();
    if (this.#conducts.size > this.#rules.addresses && oldest !== undefined) this.#conducts.delete(oldest);
    return conduct;
  }

  #stranger(nowMs: number): Conduct {
    const { burst } = this.#rules;
    return { allowance: burst, seenAtMs: nowMs, failures: 0, failingSinceMs: nowMs, pauses: 0, pausedUntilMs: 0 };
  }
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** An IPv4 address, or the /64 of an IPv6 address, as whoever has one address of it has them all. */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  const mapped = MAPPED.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (!plain.includes(':')) return plain;
  const [before, after] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const [head, tail] = [before ?? [], after ?? []];
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
