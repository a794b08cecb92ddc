import { afterEach, expect, test } from '@jest/globals';
import {
  describeError,
  isMusterError,
  noBackbone,
  silentLogger,
  type NodeStatus,
  type TaskBrief,
} from '@muster/shared';
import type { HeadView } from '../../src/io/head-view.ts';
import { startHttp, type HttpServer } from '../../src/io/http.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const node = (name: string, state: NodeStatus['state']): NodeStatus =>
  ({ name, state, heartbeatAgeMs: 1500 }) as NodeStatus;

async function start(view: Partial<HeadView> = {}, port = 0): Promise<HttpServer> {
  const whole: HeadView = {
    ready: () => true,
    nodes: () => [],
    tasks: () => [],
    counters: () => ({}),
    backbone: () => noBackbone,
    ...view,
  };
  const server = await startHttp({ port, logger: silentLogger, view: whole });
  servers.push(server);
  return server;
}

async function get(port: number, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: await response.text() };
}

test('says that it lives, and whether it is ready', async () => {
  let ready = false;
  const { port } = await start({ ready: () => ready });
  expect(await get(port, '/healthz')).toEqual({ status: 200, body: '{"status":"ok"}' });
  expect((await get(port, '/readyz')).status).toBe(503);
  ready = true;
  expect((await get(port, '/readyz')).status).toBe(200);
  expect((await get(port, '/nothing')).status).toBe(404);
});

test('metrics follow the head', async () => {
  const counters = { subtasksAccepted: 5 };
  let nodes = [node('a', 'ready'), node('b', 'busy'), node('c', 'busy')];
  const tasks = [{ state: 'running' }, { state: 'done' }] as TaskBrief[];
  const backbone = { ...noBackbone, state: 'up', muteQueues: 1, dead: 3 } as const;
  const { port } = await start({
    nodes: () => nodes,
    tasks: () => tasks,
    counters: () => counters,
    backbone: () => backbone,
  });
  const first = (await get(port, '/metrics')).body;
  for (const line of [
    'muster_nodes{state="busy"} 2',
    'muster_nodes{state="lost"} 0',
    'muster_tasks{state="done"} 1',
    'muster_subtasks_accepted_total 5',
    'muster_node_heartbeat_age_seconds{node="a"} 1.5',
    'muster_backbone_up 1',
    'muster_backbone_mute_queues 1',
    'muster_backbone_dead_messages 3',
    '# TYPE muster_subtasks_accepted_total counter',
    '# TYPE muster_process_cpu_seconds_total counter',
  ]) {
    expect(first).toContain(`${line}\n`);
  }
  counters.subtasksAccepted = 7;
  nodes = [node('a', 'lost')];
  const second = (await get(port, '/metrics')).body;
  expect(second).toContain('muster_subtasks_accepted_total 7\n');
  expect(second).toContain('muster_nodes{state="busy"} 0\n');
  expect(second).not.toContain('node="b"');
});

test('a port that is taken is told in three lines', async () => {
  const { port } = await start();
  const error: unknown = await start({}, port).catch((refusal: unknown) => refusal);
  if (!isMusterError(error)) throw error;
  expect(describeError(error)).toBe(
    `error: the HTTP port ${port} is taken (PORT_IN_USE, exit 2)\n` +
      `  why: another program listens on 127.0.0.1:${port}\n  fix: --http-port ${port + 1}`,
  );
});
