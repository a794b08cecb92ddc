import { startProviderNode, type ProviderNode } from '@muster/provider-node';
import type { LocalCluster } from '@muster/shared/testkit';
import { join } from 'node:path';
import { EmulatedCompute, type Emulation } from './emulated-compute.ts';

/** Nodes whose devices only wait, all in this process; their sessions, sockets, heartbeats and spools are real. */
export class EmulatedCrowd {
  readonly #cluster: LocalCluster;
  readonly #emulation: Emulation;
  readonly #nodes: ProviderNode[] = [];

  constructor(cluster: LocalCluster, emulation: Emulation) {
    this.#cluster = cluster;
    this.#emulation = emulation;
  }

  async growTo(count: number): Promise<void> {
    while (this.#nodes.length < count) await this.#add(`emulated-${this.#nodes.length + 1}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  async #add(name: string): Promise<void> {
    const node = await startProviderNode({
      head: '127.0.0.1',
      portBase: this.#cluster.portBase,
      name,
      stateDirectory: join(this.#cluster.directory, name),
      compute: new EmulatedCompute(this.#emulation),
    });
    this.#nodes.push(node);
    await node.joined;
  }
}
