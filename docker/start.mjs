// Entry of every container: `start.mjs PROGRAM [arguments]`. Adds what only the container knows, then becomes the program, in
// the same process: signals need no forwarding.
import { resolvePtr } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAMS = ['head-node', 'provider-node', 'user-client'];
const [program, ...args] = process.argv.slice(2);
if (!PROGRAMS.includes(program)) {
  process.stderr.write(`no program '${program ?? ''}' in this image\n  why: it has ${PROGRAMS.join(', ')}\n`);
  process.exit(2);
}
if (program === 'provider-node') await settle();
const binary = fileURLToPath(new URL(`../${program}/bin/${program}.mjs`, import.meta.url));
process.argv.splice(1, process.argv.length, binary, ...args);
await import(binary);

/** Replicas share one volume; each has the folder of its name in it, so that its identity outlives the container. */
async function settle() {
  process.env.MUSTER_NAME ??= await replicaName();
  process.env.MUSTER_STATE ??= join('/var/lib/muster', process.env.MUSTER_NAME);
}

/** 'provider-2': Docker tells a container its name and number only by its name server. Off every network: the host's name. */
async function replicaName() {
  const addresses = Object.values(networkInterfaces()).flat();
  const own = addresses.find(({ internal, family }) => !internal && family === 'IPv4');
  if (own === undefined) return hostname();
  const [found] = await resolvePtr(`${own.address.split('.').toReversed().join('.')}.in-addr.arpa`).catch(() => []);
  return found === undefined ? hostname() : withoutProject(found);
}

/** 'muster_provider_2.muster_default', and 'muster-provider-2.muster_default' of Compose v2: 'provider-2'. */
function withoutProject(found) {
  const [container, network] = found.split('.');
  const project = network.replace(/_default$/, '');
  const name = container.startsWith(project) ? container.slice(project.length + 1) : container;
  return name.replaceAll('_', '-');
}
