import type { SessionId } from '../ids.ts';

/** Offsets from `--port-base`; the head binds, all others connect. */
export const channels = {
  registration: 0,
  tasks: 1,
  results: 2,
  heartbeats: 3,
  clients: 4,
} as const;

export type Channel = keyof typeof channels;

export const DEFAULT_PORT_BASE = 5555;
/** Unprivileged ports, with room for all channels. */
export const PORT_BASE_RANGE = [1024, 65_535 - Object.keys(channels).length + 1] as const;
export const DEFAULT_HTTP_PORT = 8080;

export interface Endpoint {
  readonly host: string;
  readonly portBase: number;
}

/** ZeroMQ sockets need the option `ipv6` before they bind or dial. */
export const isIpv6 = ({ host }: Pick<Endpoint, 'host'>): boolean => host.includes(':');

export const tcpAddress = (endpoint: Endpoint, channel: Channel): string =>
  `tcp://${isIpv6(endpoint) ? `[${endpoint.host}]` : endpoint.host}:${endpoint.portBase + channels[channel]}`;

/** Leases, settlements and revocations for one provider. The session is secret, so no other provider can subscribe to it. */
export const providerTopic = (session: SessionId): string => `p.${session}.`;
/** Chunks of operands that several providers of a task need. Only they are told the key, because others may know the id of the task. */
export const taskTopic = (key: string): string => `t.${key}.`;
