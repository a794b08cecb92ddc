import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RabbitNode } from '@muster/rabbitmq/testkit';

describe('a node of its own', () => {
  let node: RabbitNode;
  beforeAll(async () => (node = await RabbitNode.start()), 120_000);
  afterAll(() => node.stop());

  test('is reached by nothing but its own ports on this machine', async () => {
    const listeners = await node.control('status', '--formatter', 'json');
    const { listeners: open } = JSON.parse(listeners) as { listeners: { interface: string; port: number }[] };
    expect(open.map(({ interface: from, port }) => [from, port])).toEqual(
      expect.arrayContaining([['127.0.0.1', node.port]]),
    );
    expect(open).toHaveLength(2);
  }, 60_000);
});
