import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { limits } from '@muster/shared';
import { hashPassword } from '../src/index.ts';
import { exchanges, policies, staticQueues } from '../src/topology.ts';

const file = (name: string): string => readFileSync(new URL(`../broker/${name}`, import.meta.url), 'utf8');
const definitions = JSON.parse(file('definitions.json')) as Record<string, Record<string, unknown>[]>;
const vhost = 'muster';

describe("the broker's files", () => {
  test('declare what the topology says', () => {
    expect(definitions['exchanges']).toEqual(
      exchanges.map(({ name, type }) => ({
        name,
        type,
        vhost,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: {},
      })),
    );
    expect(definitions['queues']).toEqual(
      staticQueues.map((queue) => ({
        name: queue.name,
        vhost,
        durable: true,
        auto_delete: false,
        arguments: queue.arguments,
      })),
    );
    expect(definitions['bindings']).toEqual(
      staticQueues.map(({ name, binding: { exchange, routingKey } }) => ({
        source: exchange,
        routing_key: routingKey,
        destination: name,
        destination_type: 'queue',
        vhost,
        arguments: {},
      })),
    );
    expect(definitions['policies']).toEqual(
      policies.map(({ name, pattern, definition }) => ({
        name,
        pattern,
        definition,
        vhost,
        'apply-to': 'queues',
        priority: 0,
      })),
    );
  });

  test('hold placeholders and no secret', () => {
    const hashes = definitions['users']?.map((user) => user['password_hash']);
    expect(hashes).toEqual(['@HEAD_PASSWORD_HASH@', '@KEEPER_PASSWORD_HASH@', '@OBSERVER_PASSWORD_HASH@']);
  });

  test('agree with the limits', () => {
    expect(file('rabbitmq.conf')).toContain(`max_message_size = ${limits.backboneMessageBytesMax.value}\n`);
    expect(file('enabled_plugins')).toBe('[rabbitmq_management,rabbitmq_prometheus].\n');
  });
});

describe('a password hash', () => {
  test('is salt and digest of salt and password', () => {
    const salt = Buffer.from('908dc60a', 'hex');
    const bytes = Buffer.from(hashPassword('test12', salt), 'base64');
    expect(bytes.subarray(0, 4)).toEqual(salt);
    expect(bytes.subarray(4)).toEqual(
      createHash('sha256')
        .update(Buffer.concat([salt, Buffer.from('test12')]))
        .digest(),
    );
    // The example of RabbitMQ's own documentation.
    expect(hashPassword('test12', salt)).toBe('kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR');
    expect(hashPassword('test12')).not.toBe(hashPassword('test12'));
  });
});
