import type { Endpoint } from '@muster/shared';
import { ENDPOINTS_MAX } from '@muster/shared';
import { hostname, networkInterfaces } from 'node:os';

/** Where others can reach a head that listens on `host`; for a wildcard address, at each address of this machine, then by its name. */
export function joinEndpoints({ host, portBase }: Endpoint): Endpoint[] {
  const hosts = ['0.0.0.0', '::'].includes(host) ? [...addresses(host === '::'), hostname()] : [host];
  return hosts.slice(0, ENDPOINTS_MAX).map((each) => ({ host: each, portBase }));
}

/** IPv4 before IPv6; without link-local addresses, which mean something else on each machine. */
function addresses(withIpv6: boolean): string[] {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const outside = all.filter(
    ({ internal, address, family }) => !internal && !address.startsWith('fe80') && (withIpv6 || family === 'IPv4'),
  );
  return outside.toSorted((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}
