import { openBackbone } from '@muster/rabbitmq';
import { incomingResultName, type BlockStore } from '@muster/shared/io';
import type { ResolvedHeadNodeOptions } from '../options.ts';
import type { BrokerAccounts } from '../trust/broker-accounts.ts';
import type { Journal } from './journal.ts';
import { BrokerMirror, noMirror, type Mirror } from './mirror.ts';
import { OpenStreams } from './open-streams.ts';

export interface MirrorParts {
  readonly journal: Journal;
  readonly blocks: BlockStore;
  readonly accounts: BrokerAccounts;
}

/** Throws BACKBONE_REFUSED for an address that cannot be used. */
export function openMirror(
  { amqpUrl, amqpTls, blockMirror, stateDirectory, logger }: ResolvedHeadNodeOptions,
  { journal: { headId, epoch }, blocks, accounts }: MirrorParts,
): Mirror {
  if (amqpUrl === null) return noMirror;
  return new BrokerMirror({
    backbone: openBackbone({ url: amqpUrl, tls: amqpTls, role: 'head', name: `muster head ${headId}`, logger }),
    logger,
    epoch,
    blocks,
    policy: blockMirror,
    streams: new OpenStreams(stateDirectory, logger),
    incomingPath: (task, lease) => blocks.incomingPath(incomingResultName(task, lease)),
    speaksFor: (user, provider) => accounts.speaksFor(user, provider),
  });
}
