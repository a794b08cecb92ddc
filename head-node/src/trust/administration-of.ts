import { systemClock, type Endpoint } from '@muster/shared';
import { nodeStatuses } from '../core/views.ts';
import { Administration } from './administration.ts';
import { expulsionFrom, type ExpulsionPorts } from './expulsion.ts';
import { joinEndpoints } from './join-endpoints.ts';
import type { Trust } from './trust.ts';

export interface AdministrationParts extends Omit<ExpulsionPorts, 'gate'> {
  readonly trust: Trust;
}

/** Connects the administration to a running head that listens at this address. */
export function administrationOf(endpoint: Endpoint, { trust, ...parts }: AdministrationParts): Administration {
  const { core } = parts;
  return new Administration({
    trust,
    endpoints: joinEndpoints(endpoint),
    nodes: () => nodeStatuses(core.state, systemClock.nowMs()),
    drain: (provider, on) => core.post({ type: 'drained', provider, on }),
    expel: expulsionFrom({ ...parts, gate: trust.gate }),
  });
}
