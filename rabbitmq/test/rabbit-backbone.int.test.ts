import { RabbitNode } from '@muster/rabbitmq/testkit';
import { openBackbone } from '../src/index.ts';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { backboneConformance } from './conformance.ts';

backboneConformance('RabbitMQ', realBroker);

async function realBroker(): Promise<BrokerUnderTest> {
  const node = await RabbitNode.start();
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
    close: () => node.stop(),
  };
}
