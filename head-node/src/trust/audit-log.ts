/**
 * What happened to the cluster's trust and work, one JSON object a line. Each line names the SHA-256 of the line before it, so a line that
 * was changed, removed or inserted breaks the chain there. Anyone who can write the file can still replace it as a whole, or cut off its
 * end: keep the last hash, which `verify` prints, somewhere else.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { isDiskFull } from '@muster/shared/io';
import type { Logger } from '@muster/shared';

export const auditActions = [
  'head-started',
  'handshake',
  'address-paused',
  'message',
  'subscription',
  'http-key',
  'http-request',
  'token-created',
  'token-revoked',
  'enrolled',
  'node-approved',
  'node-drained',
  'node-undrained',
  'node-revoked',
  'registered',
  'submitted',
  'cancelled',
  'quarantined',
] as const;
export type AuditAction = (typeof auditActions)[number];

export interface AuditEntry {
  readonly action: AuditAction;
  readonly outcome: 'done' | 'refused';
  /** Who did it: an identity, 'head', or '' where that is unknown. */
  readonly actor: string;
  /** Roles of the actor, comma-separated. */
  readonly role: string;
  /** Address that it came from; '' for this machine, or where ZeroMQ does not tell. */
  readonly address: string;
  /** What it was done to: a node, a token, a task, a key's fingerprint. */
  readonly object: string;
  readonly detail: string;
}

export const BEFORE_THE_FIRST = '0'.repeat(64);
const TAIL_BYTES = 65_536;

/** The text of an error in the log. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const hashOfLine = (line: string): string => createHash('sha256').update(line).digest('hex');

export class AuditLog {
  readonly #file: number;
  readonly #logger: Logger;
  #previous: string;

  /** Removes a last line that a crash cut short. */
  constructor(path: string, logger: Logger) {
    this.#logger = logger;
    this.#file = openSync(path, 'a+', 0o600);
    this.#previous = this.#lastHash();
  }

  append(entry: AuditEntry): void {
    const line = JSON.stringify({ at: new Date().toISOString(), ...entry, previous: this.#previous });
    const { size } = fstatSync(this.#file);
    try {
      this.#write(Buffer.from(`${line}\n`));
      this.#previous = hashOfLine(line);
    } catch (error) {
      this.#cutBack(size);
      this.#logger.error({ error, full: isDiskFull(error), line }, 'the audit log could not be written');
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Removes a line that was written in part, so that the next one does not follow on it. */
  #cutBack(size: number): void {
    try {
      ftruncateSync(this.#file, size);
    } catch (error) {
      this.#logger.error({ error }, 'a half line stays in the audit log');
    }
  }

  #write(bytes: Buffer): void {
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#file, bytes, written);
  }

  #lastHash(): string {
    const { size } = fstatSync(this.#file);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(this.#file, tail, 0, tail.length, size - tail.length);
    const whole = tail.subarray(0, tail.lastIndexOf('\n') + 1);
    if (whole.length < tail.length) ftruncateSync(this.#file, size - (tail.length - whole.length));
    const line = whole.toString('utf8').split('\n').at(-2) ?? '';
    return line === '' ? BEFORE_THE_FIRST : hashOfLine(line);
  }
}
