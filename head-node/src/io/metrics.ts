import { nodeStates, taskStates, type BackboneReport } from '@muster/shared';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { HeadView } from './head-view.ts';

/** Base units, few labels, never a task's id. Values are read from the head at each scrape; no counts of their own are kept here. */
export function metricsOf(view: HeadView): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'muster_' });
  addNodeMetrics(registry, view);
  addTaskMetrics(registry, view);
  addBackboneMetrics(registry, view);
  addCounters(registry, view);
  return registry;
}

function addNodeMetrics(registry: Registry, view: HeadView): void {
  registry.registerMetric(
    new Gauge({
      name: 'muster_nodes',
      help: 'Registered nodes by state.',
      labelNames: ['state'],
      registers: [],
      collect() {
        for (const state of nodeStates) this.set({ state }, 0);
        for (const { state } of view.nodes()) this.inc({ state });
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: 'muster_node_heartbeat_age_seconds',
      help: 'Time since the last heartbeat of a node.',
      labelNames: ['node'],
      registers: [],
      collect() {
        this.reset();
        for (const { name, heartbeatAgeMs } of view.nodes()) this.set({ node: name }, heartbeatAgeMs / 1000);
      },
    }),
  );
}

function addTaskMetrics(registry: Registry, view: HeadView): void {
  registry.registerMetric(
    new Gauge({
      name: 'muster_tasks',
      help: 'Tasks that the head remembers, by state.',
      labelNames: ['state'],
      registers: [],
      collect() {
        for (const state of taskStates) this.set({ state }, 0);
        for (const { state } of view.tasks()) this.inc({ state });
      },
    }),
  );
}

function addBackboneMetrics(registry: Registry, view: HeadView): void {
  const gauges = {
    muster_backbone_up: [
      '1 when the broker takes and brings messages.',
      (it: BackboneReport) => Number(it.state === 'up'),
    ],
    muster_backbone_blocked: [
      '1 when the broker has stopped taking messages.',
      (it: BackboneReport) => Number(it.state === 'blocked'),
    ],
    muster_backbone_outbox_bytes: ['Bytes that the broker has not confirmed.', (it: BackboneReport) => it.outboxBytes],
    muster_backbone_outbox_messages: [
      'Messages that the broker has not confirmed.',
      (it: BackboneReport) => it.outboxMessages,
    ],
    muster_backbone_lag_seconds: [
      'Age of the oldest of them, but for those of mute queues.',
      (it: BackboneReport) => it.lagMs / 1000,
    ],
    muster_backbone_mute_queues: [
      'Queues of the broker that confirm nothing while others do.',
      (it: BackboneReport) => it.muteQueues,
    ],
    muster_backbone_dead_messages: [
      'Messages in the queue `dead`, which nobody could work off.',
      (it: BackboneReport) => it.dead,
    ],
  } as const;
  for (const [name, [help, read]] of Object.entries(gauges)) {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read(view.backbone()));
        },
      }),
    );
  }
}

/** `acceptedSubtasks` is exported as `muster_accepted_subtasks_total`. The names are known once the head has started. */
function addCounters(registry: Registry, view: HeadView): void {
  for (const name of Object.keys(view.counters())) {
    registry.registerMetric(
      new Counter({
        name: `muster_${snakeCase(name)}_total`,
        help: `${snakeCase(name).replaceAll('_', ' ')} since the start`,
        registers: [],
        collect() {
          this.reset();
          this.inc(view.counters()[name] ?? 0);
        },
      }),
    );
  }
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
