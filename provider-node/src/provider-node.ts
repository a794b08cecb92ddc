/** Composition root: measures the device, then keeps a session with the head for as long as it runs. */
import { systemClock, type ProviderId } from '@muster/shared';
import { BlockStore, Closers, DirectoryLock, SpareStock } from '@muster/shared/io';
import { basename, join } from 'node:path';
import { startCompute, type Compute } from './compute/index.ts';
import { newProviderState, type HeldWork } from './core/provider-state.ts';
import { Driver } from './driver.ts';
import { GivenBroker } from './io/given-broker.ts';
import { loadIdentity } from './io/identity.ts';
import { Spool } from './io/spool.ts';
import { SessionLoop } from './session-loop.ts';
import { resolveProviderNodeOptions, type ProviderNodeOptions, type ResolvedProviderNodeOptions } from './options.ts';

export interface ProviderNode {
  readonly id: ProviderId;
  readonly options: ResolvedProviderNodeOptions;
  readonly device: Compute['device'];
  /** Resolves at the first successful registration. Rejects with VERSION_MISMATCH; other refusals are tried again. */
  readonly joined: Promise<void>;
  /** Hands its work back, leaves the cluster and ends its compute process. */
  stop(): Promise<void>;
}

export async function startProviderNode(raw: ProviderNodeOptions): Promise<ProviderNode> {
  const options = resolveProviderNodeOptions(raw);
  const id = loadIdentity(options.stateDirectory);
  const closers = new Closers();
  return closers.guard(async () => {
    const lock = DirectoryLock.take(options.stateDirectory);
    closers.add(() => lock.release());
    const spool = new Spool(options.stateDirectory, options.logger);
    closers.add(() => spool.flush());
    const finished = spool.load();
    const blocks = await openStore(options, finished);
    const compute = options.compute ?? (await startCompute(options));
    closers.add(() => compute.stop());
    const broker = new GivenBroker(options, { provider: id, blocks });
    closers.add(() => broker.close());
    const driver = new Driver(newProviderState(finished), {
      clock: systemClock,
      logger: options.logger,
      compute,
      blocks,
      spool,
      broker,
    });
    broker.listen((brokered) => driver.brokered(brokered));
    const membership = new SessionLoop({ options, id, compute, driver, blocks, broker });
    closers.add(() => membership.leave());
    return { id, options, device: compute.device, joined: membership.joined, stop: () => closers.close() };
  });
}

/** Results of an earlier process stay where they are. */
function openStore(options: ResolvedProviderNodeOptions, finished: readonly HeldWork[]): Promise<BlockStore> {
  const kept = new Set(finished.map(({ result }) => basename(result?.path ?? '')));
  const directory = join(options.stateDirectory, 'store');
  new SpareStock(directory).clear();
  return BlockStore.open({
    directory,
    maxBytes: options.maxDiskBytes,
    dropsPartial: true,
    keepIncoming: (name) => kept.has(name),
  });
}
