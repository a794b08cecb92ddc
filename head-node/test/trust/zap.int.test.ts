import { expect, test } from '@jest/globals';
import { silentLogger } from '@muster/shared';
import { Context, Dealer } from 'zeromq';
import { ZapHandler } from '../../src/trust/zap.ts';

const ENDPOINT = 'inproc://zeromq.zap.01';
const question = (id: string): (string | Buffer)[] => [
  '',
  '1.0',
  id,
  'clients',
  '10.0.0.1',
  '',
  'CURVE',
  Buffer.alloc(32, 7),
];

test.each([
  ['in', '200'],
  ['refused', '400'],
  ['cut', '300'],
] as const)('what is to be %s is answered with %s, what is no question with 400', async (verdict, status) => {
  const context = new Context();
  const handler = await ZapHandler.start(context, () => verdict, silentLogger);
  const libzmq = new Dealer({ context, linger: 0, receiveTimeout: 5000 });
  libzmq.connect(ENDPOINT);
  await libzmq.send(question('1'));
  expect((await libzmq.receive()).slice(1, 4).map(String)).toEqual(['1.0', '1', status]);
  await libzmq.send(question('2').slice(0, -1));
  expect(String((await libzmq.receive())[3])).toBe('400');
  libzmq.close();
  handler.close();
});

test('a authenticator that breaks lets nobody in', async () => {
  const context = new Context();
  const broken = (): never => {
    throw new Error('broken');
  };
  const handler = await ZapHandler.start(context, broken, silentLogger);
  const libzmq = new Dealer({ context, linger: 0, receiveTimeout: 5000 });
  libzmq.connect(ENDPOINT);
  await libzmq.send(question('1'));
  expect(String((await libzmq.receive())[3])).toBe('400');
  libzmq.close();
  handler.close();
});

test('a handler that is closed while it is asked goes quietly', async () => {
  const rejections: unknown[] = [];
  const note = (error: unknown): void => void rejections.push(error);
  process.on('unhandledRejection', note);
  const context = new Context();
  const handler = await ZapHandler.start(
    context,
    () => {
      handler.close();
      return 'in';
    },
    silentLogger,
  );
  const libzmq = new Dealer({ context, linger: 0, receiveTimeout: 200 });
  libzmq.connect(ENDPOINT);
  await libzmq.send(question('1'));
  await expect(libzmq.receive()).rejects.toMatchObject({ code: 'EAGAIN' });
  libzmq.close();
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
});
