import { MemoryBroker } from '@muster/rabbitmq/testkit';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { backboneConformance } from './conformance.ts';

backboneConformance('the twin in memory', () => Promise.resolve(inMemory()));

function inMemory(): BrokerUnderTest {
  const broker = new MemoryBroker();
  const now = (change: () => void) => () => Promise.resolve(change());
  return {
    open: (options) => broker.open(options),
    cutConnections: now(() => {
      broker.down();
      broker.up();
    }),
    kill: now(() => broker.down()),
    restart: now(() => broker.up()),
    block: now(() => broker.block()),
    unblock: now(() => broker.unblock()),
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
    mute: (queue) => now(() => broker.mute(queue))(),
    unmute: (queue) => now(() => broker.unmute(queue))(),
    close: () => Promise.resolve(),
  };
}
