import type { Member, SessionId } from '@muster/shared';
import type { Driver } from '../driver.ts';
import type { ClientEndpoint } from '../io/client-endpoint.ts';
import type { TaskPublisher } from '../io/task-publisher.ts';
import type { BrokerAccounts } from './broker-accounts.ts';
import type { Gate } from './gate.ts';

export interface ExpulsionPorts {
  readonly driver: Driver;
  readonly publisher: TaskPublisher;
  readonly clients: ClientEndpoint;
  readonly gate: Gate;
  readonly accounts: BrokerAccounts;
}

/**
 * What a revoked member had goes to others at once, and nothing is sent to it any more. ZeroMQ closes no single connection: that stays
 * open and mute until the member lets go of it, for the gate knows its seal no more.
 */
export const expulsionFrom =
  ({ driver, publisher, clients, gate, accounts }: ExpulsionPorts) =>
  (member: Member, sessions: readonly SessionId[]): void => {
    accounts.expel(member);
    clients.expel(member.id);
    for (const session of sessions) {
      const provider = driver.state.sessions.get(session);
      if (provider === undefined) continue;
      for (const { id: task, run } of driver.state.running)
        if (run?.team.includes(provider) === true) publisher.mute(task);
      const held = [...driver.state.leases.values()].filter((lease) => lease.provider === provider);
      driver.post({ type: 'bye', session, handBack: held.map((lease) => lease.id) });
      driver.post({ type: 'connection-closed', session });
      gate.disown(session);
    }
  };
