/** The part of RabbitMQ's management HTTP API that the head uses. */
import { MusterError } from '@muster/shared';
import { request as requestPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestTls } from 'node:https';
import { isGuestOutside, type BrokerTls } from './broker-access.ts';
import { reasonOf } from './link.ts';

const ANSWER_MS = 5000;
/** Nothing that we ask for is larger. */
const ANSWER_BYTES_MAX = 2 ** 20;

type Method = 'GET' | 'PUT' | 'DELETE';

export interface ManagementCall {
  readonly method: Method;
  /** Segments, each escaped: ['users', 'a/b'] asks for /api/users/a%2Fb. */
  readonly path: readonly string[];
  readonly body?: object;
}

export class Management {
  readonly #url: URL;
  readonly #tls: BrokerTls;

  /** `http://user:password@host:15672`, or https. Throws BACKBONE_REFUSED without quoting it. */
  constructor(url: string, tls: BrokerTls = {}) {
    this.#url = parseManagementUrl(url);
    this.#tls = tls;
  }

  /**
   * The parsed answer; null for 404. Rejects with BACKBONE_REFUSED for any other status from 300 (the account may not do this), and with
   * BACKBONE_DOWN for no answer or a status from 500.
   */
  async ask(call: ManagementCall): Promise<unknown> {
    const { status, text } = await this.#exchange(call).catch((error: unknown) => {
      throw this.#failed(reasonOf(error), 'BACKBONE_DOWN');
    });
    if (status === 404) return null;
    if (status >= 500) throw this.#failed(`it answered with status ${status}`, 'BACKBONE_DOWN');
    if (status >= 300) throw this.#failed(`${call.method} ${call.path[0]}: ${status} ${text}`, 'BACKBONE_REFUSED');
    return text === '' ? {} : (JSON.parse(text) as unknown);
  }

  #exchange({ method, path, body }: ManagementCall): Promise<{ readonly status: number; readonly text: string }> {
    const sent = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = this.#request(optionsOf(this.#url, { method, path, bytes: Buffer.byteLength(sent) }), (answer) => {
        textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text }), reject);
      });
      asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
      asked.on('error', reject).end(sent);
    });
  }

  #request(options: RequestOptions, onAnswer: (answer: IncomingMessage) => void): ReturnType<typeof requestPlain> {
    return this.#url.protocol === 'https:'
      ? requestTls({ ...options, ...this.#tls }, onAnswer)
      : requestPlain(options, onAnswer);
  }

  #failed(why: string, code: 'BACKBONE_DOWN' | 'BACKBONE_REFUSED'): MusterError {
    return new MusterError(code, `the management interface of the broker at ${this.#url.host} cannot be used`, {
      why: why.slice(0, 300),
      fix: 'check MUSTER_AMQP_ADMIN: its user needs the tag administrator, and the plug-in rabbitmq_management is enabled',
    });
  }
}

const optionsOf = (
  { hostname, port, username, password }: URL,
  { method, path, bytes }: { readonly method: Method; readonly path: readonly string[]; readonly bytes: number },
): RequestOptions => ({
  method,
  hostname: hostname.replaceAll(/[[\]]/g, ''),
  port,
  path: `/api/${path.map(encodeURIComponent).join('/')}`,
  auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
  headers: { 'content-type': 'application/json', 'content-length': bytes },
});

async function textOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Throws BACKBONE_REFUSED without quoting it. */
export function parseManagementUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw unusable(url ? `it starts with ${url.protocol}` : 'it is no URL at all');
  if (url.username === '') throw unusable('it names no user');
  if (isGuestOutside(url.username, url.hostname))
    throw unusable(`guest is for its own machine only, and ${url.host} is not`);
  return url;
}

const unusable = (why: string): MusterError =>
  new MusterError('BACKBONE_REFUSED', "the address of the broker's management interface cannot be used", {
    why,
    fix: 'MUSTER_AMQP_ADMIN=http://user:password@127.0.0.1:15672',
  });
