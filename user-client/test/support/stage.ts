import { seededRandom, zeros, type Dtype, type Elements, type OperandDtype } from '@muster/shared';
import { BlockStore, offerStore } from '@muster/shared/io';
import { naiveProduct, randomMatrix } from '@muster/shared/testkit';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectClient, MemoryMatrix, MemorySink, type ClientOptions, type ClusterClient } from '../../src/index.ts';
import { FakeHead, type FakeHeadOptions } from './fake-head.ts';

/** Heads, clients and a folder of one test; all gone after `clear`. */
export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), 'user-client-'));
  /** Where heads leave what leads to them. */
  readonly #state = mkdtempSync(join(tmpdir(), 'user-client-state-'));
  readonly #heads: FakeHead[] = [];
  readonly #clients: ClusterClient[] = [];

  constructor() {
    process.env['XDG_STATE_HOME'] = this.#state;
  }

  async startHead(options: FakeHeadOptions = {}): Promise<FakeHead> {
    const head = await FakeHead.start(options);
    this.#heads.push(head);
    return head;
  }

  async startSharingHead(): Promise<FakeHead> {
    await BlockStore.open({ directory: this.directory, maxBytes: 2 ** 30 });
    return this.startHead({ store: offerStore(this.directory) });
  }

  async connect(head: FakeHead, options: Partial<ClientOptions> = {}): Promise<ClusterClient> {
    const client = await connectClient({ ...head.endpoint, ...options });
    this.#clients.push(client);
    return client;
  }

  async clear(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const head of this.#heads) head.close();
    for (const directory of [this.directory, this.#state]) rmSync(directory, { recursive: true });
  }
}

export interface Product {
  readonly a: MemoryMatrix;
  readonly b: MemoryMatrix;
  readonly expected: Elements;
  readonly sink: MemorySink;
}

/** Random operands of [m, k, n], an empty sink, and what should be in it at the end. */
export function product([m, k, n]: readonly [number, number, number], dtype: OperandDtype = 'float32'): Product {
  const random = seededRandom(m * 31 + n);
  const [a, b] = [randomMatrix(dtype, m * k, random), randomMatrix(dtype, k * n, random)];
  const result: Dtype = dtype === 'int8' ? 'int32' : dtype;
  const expected = zeros(result, m * n);
  expected.set(naiveProduct({ a, b }, [m, k, n]));
  return {
    a: new MemoryMatrix(a, { rows: m, columns: k }),
    b: new MemoryMatrix(b, { rows: k, columns: n }),
    expected,
    sink: new MemorySink({ rows: m, columns: n, dtype: result }),
  };
}

export const terms = { nodes: 1, timeoutMs: 20_000 };
