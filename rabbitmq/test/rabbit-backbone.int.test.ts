import { RabbitNode } from '@muster/rabbitmq/testkit';
import { openBackbone } from '../src/index.ts';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { backboneConformance } from './conformance.ts';

backboneConformance('RabbitMQ', realBroker);

async function realBroker(): Promise<BrokerUnderTest> {
  const node = await RabbitNode.start();
  /** The Erlang process of a quorum queue, in the virtual host `/`. */
  const ask = async (what: 'suspend' | 'resume', queue: string): Promise<void> => {
    await node.control('eval', `sys:${what}('%2F_${queue}').`);
  };
  return {
    open: (options) => openBackbone({ ...options, url: node.url, name: `test ${options.role}` }),
    cutConnections: () => node.closeConnections(),
    kill: async () => {
      await node.sync();
      await node.kill();
    },
    restart: () => node.restart(),
    block: () => node.setDiskFreeLimit('100000GB'),
    unblock: () => node.setDiskFreeLimit('50MB'),
    freeze: () => node.freeze(),
    thaw: () => node.thaw(),
    mute: (queue) => ask('suspend', queue),
    unmute: (queue) => ask('resume', queue),
    close: () => node.stop(),
  };
}
