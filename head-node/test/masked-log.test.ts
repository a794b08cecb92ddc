import { expect, test } from '@jest/globals';
import { maskedLog } from '@muster/shared/io';
import { pino } from 'pino';

test('no secret is in a line of the log, wherever it stands', () => {
  let written = '';
  const logger = pino({ level: 'debug' }, maskedLog({ write: (line) => (written += line) }));
  const url = 'amqps://head:s3cret@broker/muster';
  logger.info({ url, deep: { list: [url] } }, `connecting to ${url}`);
  logger.child({ broker: url }).error({ error: new Error(`cannot reach ${url}`), err: new Error(url) }, 'failed');
  logger.debug({ line: 'provider-node join MUSTER1-AAECAwQF' }, 'Bearer muster_00000000000000aa_czNjcmV0');
  expect(written).not.toMatch(/s3cret|AAECAwQF|czNjcmV0/);
  const lines = written.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { url: 'amqps://head:***@broker/muster', msg: 'connecting to amqps://head:***@broker/muster' },
    { msg: 'failed' },
    { line: 'provider-node join MUSTER1-***', msg: 'Bearer muster_00000000000000aa_***' },
  ]);
});
