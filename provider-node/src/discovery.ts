/** Heads that announce themselves on this network: to list, or as addresses to try for a token. Announcements are not trusted. */
import { endpointsFor, isHeadOf, readJoinToken, table, type Endpoint, type FoundHead } from '@muster/shared';
import { discoverHeads, printResult, type MdnsOptions } from '@muster/shared/io';

const LOOK_MS = 3000;

/** `provider-node discover`. */
export async function printHeads(mdns?: MdnsOptions): Promise<void> {
  const heads = await discoverHeads({ withinMs: LOOK_MS }, mdns);
  printResult({ heads }, headLines(heads));
}

export function headLines(heads: readonly FoundHead[]): string[] {
  if (heads.length === 0) return ['no head announces itself on this network (an address always works: --head HOST)'];
  return [
    ...table([
      ['CLUSTER', 'KEY', 'PORT', 'ADDRESSES'],
      ...heads.map(({ cluster, fingerprint, endpoints }) => [
        cluster,
        fingerprint,
        String(endpoints[0]?.portBase ?? ''),
        endpoints.map(({ host }) => host).join(' '),
      ]),
    ]),
    'anybody can announce anything: it is the token that proves a head, or finds it out',
  ];
}

/** Addresses at which the head of this token announces itself; tells the user through `say` what was found. Throws TOKEN_INVALID. */
export async function discoverFor(line: string, say: (news: string) => void, mdns?: MdnsOptions): Promise<Endpoint[]> {
  const token = readJoinToken(line);
  say("looking for the token's head on this network...");
  const heads = await discoverHeads({ withinMs: LOOK_MS, until: (head) => isHeadOf(token, head) }, mdns);
  const found = endpointsFor(token, heads);
  say(found.length > 0 ? `found it at ${found.map(({ host }) => host).join(', ')}` : notFound(heads));
  return found;
}

function notFound(heads: readonly FoundHead[]): string {
  const others = heads.map(({ cluster }) => cluster).join(', ');
  const seen = others === '' ? 'none announces itself' : `others do: ${others}`;
  return `it does not announce itself (${seen}); trying the addresses in the token`;
}
