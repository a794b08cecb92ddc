/** A separate machine for one program: a network namespace with one link to this machine, which can be cut without notice. */
import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import type { Place } from './local-cluster.ts';

/** Private networks (RFC 1918) that are rarely used: the link gets one that no address of this machine is near to. */
const NETWORKS = ['10.213.77', '172.29.77', '192.168.213'];

const CHAINS = ['INPUT', 'OUTPUT'];

export class NetworkNamespace implements Place {
  readonly #network: string;
  readonly #name = `muster-${process.pid}`;
  readonly #outer = `mo${process.pid}`;
  readonly #inner = `mi${process.pid}`;

  /** Address of this machine, as seen from inside. */
  get host(): string {
    return `${this.#network}.1`;
  }

  /** Why no namespace can be made; '' if one can. */
  static missing(): string {
    if (process.platform !== 'linux') return 'needs network namespaces, which only Linux has';
    if (process.getuid?.() !== 0) return 'needs root, for a network namespace';
    if (freeNetwork() === undefined) return `needs a free one of the networks ${NETWORKS.join(', ')}`;
    const absent = ['ip', 'iptables'].filter((program) => spawnSync(program, ['-V']).error !== undefined);
    return absent.length > 0 ? `needs ${absent.join(' and ')}` : whyRefused();
  }

  /** One at a time in each process. Throws where the system allows none. */
  static open(): NetworkNamespace {
    const network = freeNetwork();
    if (network === undefined) throw new Error(NetworkNamespace.missing());
    const namespace = new NetworkNamespace(network);
    try {
      namespace.#connect();
      return namespace;
    } catch (error) {
      namespace.close();
      throw error;
    }
  }

  inside(command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.#name, ...command];
  }

  private constructor(network: string) {
    this.#network = network;
  }

  /** Drops every packet silently, as when a cable is pulled or a machine loses power. */
  cut(): void {
    for (const chain of CHAINS) run(this.inside(['iptables', '-A', chain, '-j', 'DROP']));
  }

  /** Data sent meanwhile arrives as soon as TCP retransmits it. */
  heal(): void {
    for (const chain of CHAINS) run(this.inside(['iptables', '-F', chain]));
  }

  /** Programs inside must have ended. */
  close(): void {
    spawnSync('ip', ['link', 'del', this.#outer]);
    spawnSync('ip', ['netns', 'del', this.#name]);
  }

  #connect(): void {
    const [outer, inner] = [this.#outer, this.#inner];
    run(['ip', 'netns', 'add', this.#name]);
    run(['ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner]);
    run(['ip', 'link', 'set', inner, 'netns', this.#name]);
    run(['ip', 'addr', 'add', `${this.host}/30`, 'dev', outer]);
    run(['ip', 'link', 'set', outer, 'up']);
    run(this.inside(['ip', 'addr', 'add', `${this.#network}.2/30`, 'dev', inner]));
    for (const link of ['lo', inner]) run(this.inside(['ip', 'link', 'set', link, 'up']));
  }
}

/** Tries it, because root in a container may lack the rights. */
function whyRefused(): string {
  try {
    const trial = NetworkNamespace.open();
    try {
      trial.cut();
    } finally {
      trial.close();
    }
    return '';
  } catch (error) {
    return `needs a system that allows network namespaces: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A link whose addresses overlap another network would take that network's traffic. */
function freeNetwork(): string | undefined {
  const ours = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
  return NETWORKS.find((network) => !ours.some((address) => firstOctet(address) === firstOctet(network)));
}

const firstOctet = (address: string): string => address.split('.', 1)[0] ?? '';

function run([program = '', ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
