/** The disk of a provider, which outlives its processes. Mirrors provider-node/src/io/spool.ts and its block store. */
import type { HeldWork } from '@muster/provider-node/core';
import type { HeadFiles, ResultFile } from '../head/head-files.ts';

/** A result file is in the head's store or in the provider's own; its path says where. */
const HEAD = 'head';
const OWN = 'own';

export type Place = typeof HEAD | typeof OWN;

type Named = Pick<HeldWork, 'task' | 'lease'>;

export const pathIn = (place: Place, { task, lease }: Named): string => `${place} ${task} ${lease}`;
export const isInHead = (path: string): boolean => path.startsWith(HEAD);

export class ProviderDisk {
  readonly blocks = new Set<string>();
  readonly #head: HeadFiles;
  readonly #results = new Map<string, ResultFile>();
  readonly #spool = new Map<number, HeldWork>();

  constructor(head: HeadFiles) {
    this.#head = head;
  }

  write(place: Place, work: Named, file: ResultFile): void {
    if (place === HEAD) this.#head.receive(work.task, work.lease, file);
    else this.#results.set(pathIn(place, work), file);
  }

  read({ task, lease, result }: Pick<HeldWork, 'task' | 'lease' | 'result'>): ResultFile | undefined {
    const path = result?.path ?? '';
    return isInHead(path) ? this.#head.incoming(task, lease) : this.#results.get(path);
  }

  remove({ task, lease, result }: Pick<HeldWork, 'task' | 'lease' | 'result'>): void {
    const path = result?.path ?? '';
    if (isInHead(path)) this.#head.discard(task, lease);
    else this.#results.delete(path);
  }

  spool(held: HeldWork): void {
    this.#spool.set(held.lease, { ...held, payload: null, phase: 'returned', revoked: false, receivedAtMs: 0 });
  }

  unspool(lease: number): void {
    this.#spool.delete(lease);
  }

  /** Finished work that no head has settled. */
  load(): HeldWork[] {
    return [...this.#spool.values()].map((held) => ({ ...held }));
  }
}
