import { describe, expect, test } from '@jest/globals';
import { masked, newKeyPair, writeJoinToken } from '@muster/shared';

const token = writeJoinToken({
  id: '00000000000000aa',
  secret: '0123456789abcdef0123456789abcdef',
  role: 'provider',
  expiresWallMs: 1,
  headKey: newKeyPair().publicKey,
  endpoints: [{ host: 'head.example', portBase: 5555 }],
});

describe('what is masked', () => {
  test.each([
    ['amqp://head:s3cret@broker:5672/muster', 'amqp://head:***@broker:5672/muster'],
    ['connect to "amqps://u:p@ss:w@broker/v" failed', 'connect to "amqps://u:***@broker/v" failed'],
    ["amqp://o'hara:it's@broker/v", "amqp://o'hara:***@broker/v"],
    ['http://:only-a-password@[::1]:15672', 'http://:***@[::1]:15672'],
    ['{"url":"amqp://a:b@c","other":"amqp://d:e@f"}', '{"url":"amqp://a:***@c","other":"amqp://d:***@f"}'],
    [`join ${token} now`, 'join MUSTER1-*** now'],
    ['Bearer muster_00000000000000aa_Zm9v-YmFy', 'Bearer muster_00000000000000aa_***'],
    ['eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln', 'eyJ***'],
    [
      '-----BEGIN PRIVATE KEY-----\\nMC4CAQ\\n-----END PRIVATE KEY-----\\n',
      '-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----\\n',
    ],
  ])('%s', (text, shown) => {
    expect(masked(text)).toBe(shown);
  });

  test.each([
    'amqp://broker:5672/muster',
    'head-node ready on 127.0.0.1:5555..5559',
    'http://127.0.0.1:8080/healthz',
    'mail to admin@example.org: http://example.org/a:b@c',
  ])('not %s', (text) => {
    expect(masked(text)).toBe(text);
  });
});
