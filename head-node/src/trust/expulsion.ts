import type { Member, SessionId, TaskId } from '@muster/shared';
import type { HeadCore } from '../core/head-core.ts';
import type { BrokerAccounts } from './broker-accounts.ts';
import type { Gate } from './gate.ts';

export interface ExpulsionPorts {
  readonly core: HeadCore;
  readonly publisher: { mute(task: TaskId): void };
  readonly clients: { expel(identity: string): void };
  readonly gate: Gate;
  readonly accounts: BrokerAccounts;
}

/**
 * Gives a revoked member's leases to others at once and stops sending to it. ZeroMQ cannot close a single connection: it stays open until
 * the member closes it, and is ignored, because the gate no longer knows the member's seal.
 */
export const expulsionFrom =
  ({ core, publisher, clients, gate, accounts }: ExpulsionPorts) =>
  (member: Member, sessions: readonly SessionId[]): void => {
    accounts.expel(member);
    clients.expel(member.id);
    for (const session of sessions) {
      const provider = core.state.sessions.get(session);
      if (provider === undefined) continue;
      for (const { id: task, run } of core.state.running)
        if (run?.team.includes(provider) === true) publisher.mute(task);
      const held = [...core.state.leases.values()].filter((lease) => lease.provider === provider);
      core.post({ type: 'bye', session, handBack: held.map((lease) => lease.id) });
      core.post({ type: 'connection-closed', session });
      gate.disown(session);
    }
  };
