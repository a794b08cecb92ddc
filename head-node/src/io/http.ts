import { limits, MusterError, systemClock, type Logger } from '@muster/shared';
import { systemCodeOf } from '@muster/shared/io';
import fastify, { type FastifyInstance } from 'fastify';
import { HandshakeLimits } from '../trust/handshake-limits.ts';
import { httpGate, type HttpAuthenticator } from '../trust/http-gate.ts';
import type { HeadView } from './head-view.ts';
import { metricsOf } from './metrics.ts';

export interface HttpOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly logger: Logger;
  readonly view: HeadView;
  /** Default: every key is refused. */
  readonly authenticator?: HttpAuthenticator;
  /** Called for requests that are not for this server, or that the caller's role may not make. */
  readonly refused?: (why: string) => void;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Only this machine is served. */
const HOST = '127.0.0.1';

const HEADERS_MS = limits.httpHeadersMs.value;
/** Timeouts for clients that send nothing or too slowly, and for connections that are idle after an answer. */
const PATIENCE = {
  requestTimeout: limits.httpRequestMs.value,
  keepAliveTimeout: HEADERS_MS,
  http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: 500 },
};

/** `/healthz` (the program runs), `/readyz` (it takes tasks), `/metrics` (Prometheus). Throws PORT_IN_USE. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { port, logger, view, authenticator = () => null, refused = () => undefined } = options;
  const server = fastify({ logger: false, forceCloseConnections: true, ...PATIENCE });
  server.server.maxConnections = limits.httpConnections.value;
  server.addHook(
    'onRequest',
    httpGate({ authenticator, failures: new HandshakeLimits(), clock: systemClock, refused }),
  );
  addRoutes(server, view);
  server.setErrorHandler((error, _request, reply) => {
    logger.error({ error }, 'an HTTP request failed');
    return reply.code(500).send({ error: 'internal error' });
  });
  try {
    await server.listen({ host: HOST, port });
  } catch (error) {
    await server.close();
    throw systemCodeOf(error) === 'EADDRINUSE' ? portInUse(port, error) : error;
  }
  const [bound] = server.addresses();
  return { port: typeof bound === 'object' ? bound.port : port, close: () => server.close() };
}

function addRoutes(server: FastifyInstance, view: HeadView): void {
  const metrics = metricsOf(view);
  server.get('/healthz', () => ({ status: 'ok' }));
  server.get('/readyz', (_request, reply) => {
    const ready = view.ready();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'disk full', backbone: view.backbone() });
  });
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
}

const portInUse = (port: number, cause: unknown): MusterError =>
  new MusterError('PORT_IN_USE', `the HTTP port ${port} is taken`, {
    why: `another program listens on ${HOST}:${port}`,
    fix: `--http-port ${port < 65_535 ? port + 1 : port - 1}`,
    cause,
  });
