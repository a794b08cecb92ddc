/** Composition root: measures the device, then keeps a session with the head for as long as it runs. */
import { systemClock, type ProviderId } from '@muster/shared';
import { BlockStore, DirectoryLock } from '@muster/shared/io';
import { join } from 'node:path';
import { startCompute, type Compute } from './compute/index.ts';
import { newProviderState } from './core/provider-state.ts';
import { Driver } from './driver.ts';
import { loadIdentity } from './io/identity.ts';
import { Membership } from './membership.ts';
import { resolveProviderNodeOptions, type ProviderNodeOptions, type ResolvedProviderNodeOptions } from './options.ts';

export interface ProviderNode {
  readonly id: ProviderId;
  readonly options: ResolvedProviderNodeOptions;
  readonly device: Compute['device'];
  /** Resolves at the first successful registration. Rejects when the head refuses us for good. */
  readonly joined: Promise<void>;
  /** Hands its work back, leaves the head and ends its compute process. */
  stop(): Promise<void>;
}

export async function startProviderNode(raw: ProviderNodeOptions): Promise<ProviderNode> {
  const options = resolveProviderNodeOptions(raw);
  const id = loadIdentity(options.stateDirectory);
  const lock = DirectoryLock.take(options.stateDirectory);
  try {
    const blocks = await BlockStore.open({
      directory: join(options.stateDirectory, 'store'),
      maxBytes: options.maxDiskBytes,
    });
    const compute = await startCompute(options);
    const driver = new Driver(newProviderState(), { clock: systemClock, logger: options.logger, compute, blocks });
    const membership = new Membership({ options, id, compute, driver, blocks });
    const stop = async (): Promise<void> => {
      await membership.leave();
      await compute.stop();
      lock.release();
    };
    return { id, options, device: compute.device, joined: membership.joined, stop };
  } catch (error) {
    lock.release();
    throw error;
  }
}
