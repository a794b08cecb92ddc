import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { limits, noBackbone, roles, routeRoles, silentLogger, systemClock, type Role } from '@muster/shared';
import fastify from 'fastify';
import { startHttp, type HttpServer } from '../../src/io/http.ts';
import { HandshakeLimits } from '../../src/trust/handshake-limits.ts';
import { httpGate } from '../../src/trust/http-gate.ts';

let server: HttpServer;

const view = {
  ready: () => true,
  nodes: () => [],
  tasks: () => [],
  counters: () => ({}),
  backbone: () => noBackbone,
};
const authenticator = (key: string): Role | null => roles.find((role) => key === `key-of-${role}`) ?? null;

beforeAll(async () => {
  server = await startHttp({ port: 0, logger: silentLogger, view, authenticator });
});

afterAll(() => server.close());

/** Not with fetch, which writes Host by itself. */
function statusOf(
  path: string,
  headers: Record<string, string> = {},
  { method = 'GET', port = server.port }: { method?: string; port?: number } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject).end();
  });
}

const routes = Object.keys(routeRoles);

describe('every route', () => {
  test.each(routes)('%s is for each role and for who shows no key', async (route) => {
    expect(await statusOf(route)).toBe(200);
    for (const role of roles) expect(await statusOf(route, { authorization: `Bearer key-of-${role}` })).toBe(200);
  });

  test.each(routes)('%s refuses a key that nobody has', async (route) => {
    for (const authorization of ['Bearer nonsense', 'Basic a2V5', 'Bearer', ''])
      expect(await statusOf(route, { authorization })).toBe(401);
  });

  test.each(routes)('%s refuses a foreign Host and a foreign Origin', async (route) => {
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example'])
      expect(await statusOf(route, { host })).toBe(421);
    for (const origin of ['http://evil.example', 'null', `https://127.0.0.1:${server.port}`, 'http://127.0.0.1:1'])
      expect(await statusOf(route, { origin })).toBe(403);
    expect(await statusOf(route, { origin: `http://127.0.0.1:${server.port}` })).toBe(200);
    expect(await statusOf(route, { host: `localhost:${server.port}` })).toBe(200);
  });
});

describe('who tries one key after the other', () => {
  let tried: HttpServer;
  const statusWith = (key: string): Promise<number> =>
    statusOf('/healthz', { authorization: `Bearer ${key}` }, { port: tried.port });

  beforeAll(async () => {
    tried = await startHttp({ port: 0, logger: silentLogger, view, authenticator });
    for (let key = 1; key < limits.failedHandshakes.value; key += 1) expect(await statusWith(`${key}`)).toBe(401);
  });

  afterAll(() => tried.close());

  test('is told to wait, and how long', async () => {
    expect(await statusWith('one more')).toBe(429);
    const { status, headers } = await fetch(`http://127.0.0.1:${tried.port}/healthz`, {
      headers: { authorization: 'Bearer another' },
    });
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
  });

  test('locks out nobody who has a key, nor who shows none', async () => {
    expect(await statusWith('key-of-viewer')).toBe(200);
    expect(await statusOf('/healthz', {}, { port: tried.port })).toBe(200);
  });
});

test('a route that the table does not know is for nobody: who shows a key is told that it is not enough, who shows none to show one', async () => {
  const gated = fastify();
  gated.addHook(
    'onRequest',
    httpGate({ authenticator, failures: new HandshakeLimits(), clock: systemClock, refused: () => undefined }),
  );
  let visited = 0;
  gated.get('/later', () => (visited += 1));
  const port = Number(new URL(await gated.listen({ host: '127.0.0.1', port: 0 })).port);
  expect(await statusOf('/later', {}, { port })).toBe(401);
  for (const role of roles)
    expect(await statusOf('/later', { authorization: `Bearer key-of-${role}` }, { port })).toBe(403);
  expect(visited).toBe(0);
  await gated.close();
});

test('there is nothing else', async () => {
  for (const path of ['/', '/tasks', '/healthz/', '/metrics/../admin', '/%2e%2e/etc/passwd'])
    expect(await statusOf(path)).toBe(404);
  expect(await statusOf('/healthz', {}, { method: 'POST' })).toBe(404);
});
