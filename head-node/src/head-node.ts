/** Composition root: opens everything in order, restores what the journal knows, then lets the world in; closes in reverse. */
import { isTerminal, systemClock, taskTypeNamed, type Clock, type Logger, type NodeStatus } from '@muster/shared';
import { BlockStore, makeStateDirectory, offerStore, SpareStock } from '@muster/shared/io';
import { join } from 'node:path';
import { newClusterState } from './core/cluster-state.ts';
import { defaultPolicy, type Policy } from './core/policy.ts';
import { briefOf, nodeStatuses, statusOf } from './core/views.ts';
import { Driver } from './driver.ts';
import { ClientEndpoint } from './io/client-endpoint.ts';
import { ClientRequests } from './io/client-requests.ts';
import { openHeadSockets, type HeadSockets } from './io/head-sockets.ts';
import { startHttp, type HttpServer } from './io/http.ts';
import { Journal } from './io/journal.ts';
import { Registration } from './io/registration.ts';
import { serveReplies } from './io/reply-endpoint.ts';
import { ResultCollector } from './io/result-collector.ts';
import { ResultStore } from './io/result-store.ts';
import { TaskPublisher } from './io/task-publisher.ts';
import { resolveHeadNodeOptions, type HeadNodeOptions, type ResolvedHeadNodeOptions } from './options.ts';
import { startVerifier, type Verifier } from './verify/index.ts';

/** Leases age and silence is noticed at this rate. */
const TICK_MS = 50;
const PROGRESS_MS = 250;
/** Spare files: a MiB every 2 ms while there is something to make, else a look now and then. */
const RESTOCK_MS = 2;
const RESTOCK_REST_MS = 20;
const RESTOCK_STEPS = 4;

export interface HeadNode {
  readonly options: ResolvedHeadNodeOptions;
  readonly epoch: number;
  readonly headId: string;
  /** The HTTP port, 0 when there is none. */
  readonly httpPort: number;
  nodes(): NodeStatus[];
  stop(): Promise<void>;
}

/** What is on disk and in child processes; opened before and closed after the sockets. */
interface Stores {
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  readonly verifier: Verifier;
}

export async function startHeadNode(raw: HeadNodeOptions = {}): Promise<HeadNode> {
  const options = resolveHeadNodeOptions(raw);
  makeStateDirectory(options.stateDirectory);
  const stores = await openStores(options);
  try {
    const sockets = await openHeadSockets(options, stores.journal.headId);
    try {
      return await serve({ options, stores, sockets });
    } catch (error) {
      sockets.close();
      throw error;
    }
  } catch (error) {
    await closeStores(stores);
    throw error;
  }
}

async function openStores({ stateDirectory, maxDiskBytes, logger }: ResolvedHeadNodeOptions): Promise<Stores> {
  // The journal first: it refuses a directory that another head holds.
  const journal = await Journal.open({ directory: join(stateDirectory, 'journal') });
  const blocks = await BlockStore.open({ directory: storeDirectory(stateDirectory), maxBytes: maxDiskBytes / 2 });
  const results = await ResultStore.open({ directory: storeDirectory(stateDirectory) });
  const spares = new SpareStock(storeDirectory(stateDirectory));
  return { journal, blocks, results, spares, verifier: await startVerifier({ logger }) };
}

const storeDirectory = (stateDirectory: string): string => join(stateDirectory, 'store');

async function closeStores({ journal, spares, verifier }: Stores): Promise<void> {
  spares.clear();
  await verifier.stop();
  await journal.close();
}

interface Opened {
  readonly options: ResolvedHeadNodeOptions;
  readonly stores: Stores;
  readonly sockets: HeadSockets;
}

/** The parts between the sockets, connected but not running yet. */
interface Parts {
  readonly driver: Driver;
  readonly publisher: TaskPublisher;
  readonly clients: ClientEndpoint;
  readonly registration: Registration;
}

function assemble({ options, stores, sockets }: Opened): Parts {
  const { logger, resultTtlMs, maxDiskBytes } = options;
  const { epoch, headId } = stores.journal;
  const store = offerStore(storeDirectory(options.stateDirectory));
  const policy: Policy = { ...defaultPolicy, resultTtlMs };
  const publisher = new TaskPublisher(sockets.tasks, epoch, logger);
  const clients = new ClientEndpoint(sockets.clients, { epoch, headId, store, blocks: stores.blocks, logger });
  const state = newClusterState(policy, epoch, systemClock.nowMs());
  const outside = { clock: systemClock, random: Math.random, logger, audience: clients };
  const driver = new Driver(state, { ...outside, ...stores, publisher, maxResultBytes: maxDiskBytes / 2 });
  const { ipc } = sockets;
  const registration = new Registration({
    driver,
    publisher,
    logger,
    epoch,
    heartbeatMs: policy.heartbeatMs,
    ipc,
    store,
  });
  return { driver, publisher, clients, registration };
}

/** Each ends when its socket is closed. */
function startLoops({ options, stores, sockets }: Opened, parts: Parts): Promise<void>[] {
  const { driver, publisher, clients, registration } = parts;
  const { logger } = options;
  return [
    publisher.watch({
      onOpened: (session) => registration.subscribed(session),
      onClosed: (session) => registration.unsubscribed(session),
    }),
    serveReplies(sockets.registration, (envelope) => registration.answer(envelope), logger),
    serveReplies(sockets.heartbeats, (envelope) => registration.answerHeartbeat(envelope), logger),
    new ResultCollector({ driver, blocks: stores.blocks, logger }).run(sockets.results),
    clients.run(new ClientRequests({ driver, clock: systemClock, ...stores })),
  ];
}

async function serve(opened: Opened): Promise<HeadNode> {
  const { options, stores, sockets } = opened;
  const parts = assemble(opened);
  const { driver, clients } = parts;
  restore(driver, stores);
  const http = await openHttp(options, driver, systemClock);
  const loops = startLoops(opened, parts);
  const timers = startTimers(driver, { clients, clock: systemClock });
  const stopRestocking = restockWhileIdle(driver, stores);
  const stop = onceStopped(async () => {
    for (const timer of timers) clearInterval(timer);
    stopRestocking();
    await http?.close();
    sockets.close();
    await Promise.allSettled(loops);
    driver.stop();
    await closeStores(stores);
  });
  const { epoch, headId } = stores.journal;
  const nodes = (): NodeStatus[] => nodeStatuses(driver.state, systemClock.nowMs());
  return { options, epoch, headId, httpPort: http?.port ?? 0, nodes, stop };
}

/** Tasks as they were accepted; blocks that are not in the store any more are waited for again. */
function restore(driver: Driver, { journal, blocks }: Stores): void {
  for (const history of journal.replay()) {
    const bound = history.bound.filter(({ id }) => blocks.has(id));
    driver.post({ type: 'restored', history: { ...history, bound }, taskType: taskTypeNamed(history.record.name) });
    if (history.ended === null) for (const { task, id } of bound) driver.pin(task, id);
  }
}

function startTimers(driver: Driver, { clients, clock }: { clients: ClientEndpoint; clock: Clock }): NodeJS.Timeout[] {
  const report = (): void => {
    for (const id of clients.watched) {
      const task = driver.state.tasks.get(id);
      if (task !== undefined && !isTerminal(task.state))
        clients.progress(id, statusOf(driver.state, task, clock.nowMs()));
    }
  };
  return [setInterval(() => driver.post({ type: 'tick' }), TICK_MS), setInterval(report, PROGRESS_MS)];
}

/** In small steps, so that whatever comes is answered at once, and not while a task runs. Returns what stops it. */
function restockWhileIdle(driver: Driver, { spares }: Stores): () => void {
  let timer: NodeJS.Timeout;
  const work = (): void => {
    let busy = driver.state.running.size === 0;
    for (let step = 0; step < RESTOCK_STEPS && busy; step += 1) busy = spares.step();
    timer = setTimeout(work, busy ? RESTOCK_MS : RESTOCK_REST_MS);
  };
  timer = setTimeout(work, RESTOCK_REST_MS);
  return () => clearTimeout(timer);
}

async function openHttp(
  { httpPort, logger }: { httpPort: number | null; logger: Logger },
  driver: Driver,
  clock: Clock,
): Promise<HttpServer | null> {
  if (httpPort === null) return null;
  return startHttp({
    port: httpPort,
    logger,
    view: {
      ready: () => true,
      nodes: () => nodeStatuses(driver.state, clock.nowMs()),
      tasks: () => [...driver.state.tasks.values()].map((task) => briefOf(statusOf(driver.state, task, clock.nowMs()))),
      counters: () => ({ ...driver.state.counters }),
    },
  });
}

function onceStopped(stop: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => (stopped ??= stop());
}
