/** Composition root: opens everything in order, restores the journal's tasks, then opens for peers; closes in reverse. */
import {
  isTerminal,
  systemClock,
  type BackboneReport,
  type Channel,
  type Clock,
  type NodeStatus,
  type TaskId,
} from '@muster/shared';
import {
  BlockStore,
  Closers,
  DirectoryLock,
  makeStateDirectory,
  offerStore,
  SpareStock,
  taskOfIncoming,
} from '@muster/shared/io';
import { join } from 'node:path';
import { newClusterState } from './core/cluster-state.ts';
import { defaultPolicy, type Policy } from './core/policy.ts';
import { briefOf, nodeStatuses, statusOf } from './core/views.ts';
import { Driver } from './driver.ts';
import { ClientEndpoint } from './io/client-endpoint.ts';
import { ClientRequests } from './io/client-requests.ts';
import type { Mirror } from './io/mirror.ts';
import { openHeadSockets, type HeadSockets } from './io/head-sockets.ts';
import { startHttp, type HttpServer } from './io/http.ts';
import { IncomingResults } from './io/incoming-results.ts';
import { Journal } from './io/journal.ts';
import { openMirror } from './io/open-mirror.ts';
import { restockWhileIdle } from './io/restock.ts';
import { Registration } from './io/registration.ts';
import { serveReplies, type ReplyOptions } from './io/reply-endpoint.ts';
import { ResultCollector } from './io/result-collector.ts';
import { ResultStore } from './io/result-store.ts';
import { TaskPublisher } from './io/task-publisher.ts';
import { restore } from './restore.ts';
import { resolveHeadNodeOptions, type HeadNodeOptions, type ResolvedHeadNodeOptions } from './options.ts';
import type { Administration } from './trust/administration.ts';
import { announceHead } from './trust/announcing.ts';
import { administrationOf } from './trust/administration-of.ts';
import { openBrokerAccounts, type BrokerAccounts } from './trust/broker-accounts.ts';
import { watchHandshakes } from './trust/failed-handshakes.ts';
import { publishCredential } from './trust/publish-credential.ts';
import { Trust } from './trust/trust.ts';
import { httpAuthenticator } from './trust/http-authenticator.ts';
import { judgesOf } from './judges/index.ts';
import { trainingDirectory, TrainingRuns } from './io/training-runs.ts';
import { startTrainer, type Trainer } from './train/index.ts';
import { startVerifier, type Verifier } from './verify/index.ts';

/** Deadlines of leases and heartbeats are checked at this rate. */
const TICK_MS = 50;
const PROGRESS_MS = 250;
const SWEEP_MS = 30_000;

export interface HeadNode {
  readonly options: ResolvedHeadNodeOptions;
  readonly epoch: number;
  readonly headId: string;
  /** The HTTP port, 0 when there is none. */
  readonly httpPort: number;
  nodes(): NodeStatus[];
  backbone(): BackboneReport;
  /** Totals since the start, by name. */
  counters(): Readonly<Record<string, number>>;
  /** Name of the cluster, for people. */
  readonly cluster: string;
  readonly administration: Administration;
  stop(): Promise<void>;
}

/** What is on disk and in child processes; opened before and closed after the sockets. */
interface Stores {
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly incoming: IncomingResults;
  readonly results: ResultStore;
  readonly spares: SpareStock;
  readonly verifier: Verifier;
  readonly trainer: Trainer;
  readonly runs: TrainingRuns;
  readonly mirror: Mirror;
  readonly accounts: BrokerAccounts;
  readonly trust: Trust;
}

export async function startHeadNode(raw: HeadNodeOptions = {}): Promise<HeadNode> {
  const options = resolveHeadNodeOptions(raw);
  makeStateDirectory(options.stateDirectory);
  const closers = new Closers();
  return closers.guard(async () => {
    const stores = await openStores(options, closers);
    const sockets = await openSockets(options, stores);
    closers.add(() => sockets.close());
    return serve({ options, stores, sockets, closers });
  });
}

function openSockets(options: ResolvedHeadNodeOptions, { journal, trust }: Stores): Promise<HeadSockets> {
  const { insecure, logger } = options;
  const { keys, trialKeys } = trust;
  const curve = insecure ? null : { keys, trialKeys, authenticator: trust.authenticate.bind(trust) };
  return openHeadSockets({ endpoint: options, headId: journal.headId, curve, logger });
}

/** The lock is the one that a provider takes on its state directory, so that the two never share one. */
async function openStores(options: ResolvedHeadNodeOptions, closers: Closers): Promise<Stores> {
  const { stateDirectory, maxDiskBytes, logger } = options;
  const lock = DirectoryLock.take(stateDirectory);
  closers.add(() => lock.release());
  const journal = await Journal.open({ directory: join(stateDirectory, 'journal') });
  closers.add(() => journal.close());
  const blocks = await BlockStore.open({
    directory: storeDirectory(stateDirectory),
    maxBytes: maxDiskBytes / 2,
    keepIncoming: (name) => isResultOfOpenTask(journal, name),
  });
  const incoming = new IncomingResults(blocks);
  const results = await ResultStore.open({ directory: storeDirectory(stateDirectory) });
  const spares = new SpareStock(storeDirectory(stateDirectory));
  closers.add(() => spares.clear());
  const isTask = (task: TaskId): boolean => journal.history(task) !== null;
  const trust = new Trust({ stateDirectory, headId: journal.headId, logger, isTask });
  closers.add(() => trust.close());
  const verifier = await startVerifier({ logger });
  closers.add(() => verifier.stop());
  const incomingDirectory = blocks.incomingDirectory;
  const trainer = await startTrainer({ logger, directory: trainingDirectory(stateDirectory), incomingDirectory });
  closers.add(() => trainer.stop());
  const runs = new TrainingRuns({ trainer, blocks });
  const accounts = await openBrokerAccounts(options, { secretKey: trust.keys.secretKey, roster: trust.roster });
  closers.add(() => accounts.close());
  const mirror = openMirror(options, { journal, blocks, accounts });
  closers.add(() => mirror.stop());
  return { journal, blocks, incoming, results, spares, verifier, trainer, runs, mirror, accounts, trust };
}

/** A node that shares the store may have finished and left its result there while the head was away. */
function isResultOfOpenTask(journal: Journal, name: string): boolean {
  const task = taskOfIncoming(name);
  return task !== null && journal.history(task)?.ended === null;
}

const storeDirectory = (stateDirectory: string): string => join(stateDirectory, 'store');

interface Opened {
  readonly options: ResolvedHeadNodeOptions;
  readonly stores: Stores;
  readonly sockets: HeadSockets;
  readonly closers: Closers;
}

/** The parts between the sockets, connected but not running yet. */
interface Parts {
  readonly driver: Driver;
  readonly publisher: TaskPublisher;
  readonly clients: ClientEndpoint;
  readonly registration: Registration;
  readonly administration: Administration;
}

function assemble({ options, stores, sockets }: Opened): Parts {
  const { logger, resultTtlMs, maxDiskBytes, quota } = options;
  const { epoch, headId } = stores.journal;
  const store = offerStore(storeDirectory(options.stateDirectory));
  const policy: Policy = { ...defaultPolicy, resultTtlMs, quota };
  const { trust, blocks } = stores;
  const publisher = new TaskPublisher(sockets.sets, epoch, logger);
  const clients = new ClientEndpoint(sockets.sets, { epoch, headId, store, blocks, trust, logger });
  const state = newClusterState(policy, epoch, systemClock.nowMs());
  state.wallOffsetMs = Date.now() - systemClock.nowMs();
  const outside = { clock: systemClock, random: Math.random, logger, audience: clients };
  const judges = judgesOf(stores);
  const driver = new Driver(state, {
    ...outside,
    ...stores,
    judges,
    epoch,
    publisher,
    maxResultBytes: maxDiskBytes / 2,
  });
  stores.runs.tell((event) => driver.trained(event));
  const administration = administrationOf(options, {
    trust,
    core: driver,
    publisher,
    clients,
    accounts: stores.accounts,
  });
  const { heartbeatMs } = policy;
  const said = { logger, epoch, heartbeatMs, store };
  const registration = new Registration({
    ...said,
    core: driver,
    publisher,
    trust,
    administration,
    accounts: stores.accounts,
  });
  return { driver, publisher, clients, registration, administration };
}

/** Each ends when its socket is closed. */
function startLoops({ options, stores, sockets }: Opened, parts: Parts): Promise<void>[] {
  const { driver, publisher, clients, registration } = parts;
  const { logger } = options;
  const { trust } = stores;
  const { gate } = trust;
  const collector = new ResultCollector({ core: driver, incoming: stores.incoming, gate, logger });
  return [
    publisher.watch({
      onOpened: (session) => registration.subscribed(session),
      onClosed: (session) => registration.unsubscribed(session),
      onRefused: (origin, topic) => gate.subscriptionRefused(origin, topic),
    }),
    clients.run(new ClientRequests({ core: driver, clock: systemClock, ...stores })),
    ...sockets.sets.flatMap((set) => watchHandshakes(set, (channel, why) => trust.handshakeFailed(channel, why))),
    ...sockets.sets.flatMap(({ origin, ...set }) => {
      const at = (channel: Channel): ReplyOptions => ({ entrance: { origin, channel }, gate, logger });
      return [
        serveReplies(set.registration, (envelope, peer) => registration.answer(envelope, peer), at('registration')),
        serveReplies(set.heartbeats, (envelope) => registration.answerHeartbeat(envelope), at('heartbeats')),
        collector.run(set.results, { origin, channel: 'results' }),
      ];
    }),
  ];
}

async function serve(opened: Opened): Promise<HeadNode> {
  const { options, stores, sockets, closers } = opened;
  const parts = assemble(opened);
  const { driver, clients, administration } = parts;
  // Before `restore`: a task with all its subtasks accepted waits for the broker like any other, but not longer than this start.
  if (options.amqpUrl !== null) driver.post({ type: 'backbone', state: 'connecting', congested: false });
  restore(driver, stores);
  await stores.mirror.start(driver);
  driver.post({ type: 'recovered' });
  stores.trust.owners.keepOnly((task) => driver.state.tasks.has(task));
  const http = await openHttp(options, driver, stores);
  closers.add(() => http?.close());
  const loops = startLoops(opened, parts);
  // After the sockets, so that messages received until then are still answered.
  closers.add(async () => {
    sockets.close();
    await Promise.allSettled(loops);
    driver.stop();
  });
  const { ipc } = sockets;
  const { journal, trust } = stores;
  closers.add(publishCredential({ ...options, ipc, headId: journal.headId, trust }));
  trust.started(options);
  closers.add(await announceHead(options, trust));
  const timers = startTimers(driver, { clients, clock: systemClock, incoming: stores.incoming });
  closers.add(() => timers.forEach((timer) => clearInterval(timer)));
  closers.add(restockWhileIdle(driver, stores));
  const nodes = (): NodeStatus[] => nodeStatuses(driver.state, systemClock.nowMs());
  const backbone = (): BackboneReport => stores.mirror.report();
  const counters = (): Record<string, number> => countersOf(driver, trust);
  const { epoch, headId } = journal;
  const named = { options, epoch, headId, cluster: trust.cluster, administration, httpPort: http?.port ?? 0 };
  return { ...named, nodes, backbone, counters, stop: () => closers.close() };
}

interface Ticking {
  readonly clients: ClientEndpoint;
  readonly clock: Clock;
  readonly incoming: IncomingResults;
}

function startTimers(driver: Driver, { clients, clock, incoming }: Ticking): NodeJS.Timeout[] {
  const report = (): void => {
    for (const id of clients.watched) {
      const task = driver.state.tasks.get(id);
      if (task !== undefined && !isTerminal(task.state))
        clients.progress(id, statusOf(driver.state, task, clock.nowMs()));
    }
  };
  const isOpen = (id: TaskId): boolean => {
    const task = driver.state.tasks.get(id);
    return task !== undefined && !isTerminal(task.state);
  };
  return [
    setInterval(() => driver.post({ type: 'tick' }), TICK_MS),
    setInterval(report, PROGRESS_MS),
    setInterval(() => incoming.sweep(isOpen), SWEEP_MS),
  ];
}

const countersOf = ({ state }: Driver, { counters }: Trust): Record<string, number> => ({
  ...state.counters,
  ...counters,
});

async function openHttp(
  { httpPort, jwt, logger }: ResolvedHeadNodeOptions,
  driver: Driver,
  { journal, mirror, trust }: Stores,
): Promise<HttpServer | null> {
  if (httpPort === null) return null;
  const clock = systemClock;
  return startHttp({
    port: httpPort,
    logger,
    authenticator: httpAuthenticator(jwt, {
      apiTokens: trust.roster.apiTokens,
      keyRefused: trust.keyRefused.bind(trust),
    }),
    refused: (why) => trust.requestRefused(why),
    view: {
      ready: () => journal.hasRoomForTask(),
      nodes: () => nodeStatuses(driver.state, clock.nowMs()),
      tasks: () => [...driver.state.tasks.values()].map((task) => briefOf(statusOf(driver.state, task, clock.nowMs()))),
      backbone: () => mirror.report(),
      counters: () => countersOf(driver, trust),
    },
  });
}
