/** The same cluster where the head listens on an IPv6 address. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { ClusterUnderTest, skipBecause, writeExactMatrix, wrongRows } from '@muster/shared/testkit';

const hasIpv6 = await new Promise<boolean>((resolve) => {
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen(0, '::1', () => server.close(() => resolve(true)));
});
const onIpv6 = hasIpv6 ? test : skipBecause('this machine has no address ::1');

let cluster: ClusterUnderTest | null = null;

beforeAll(async () => {
  if (!hasIpv6) return;
  cluster = await ClusterUnderTest.start({
    providers: 1,
    headArguments: ['--host', '::1'],
    providerArguments: ['--head', '::1', '--threads', '1', '--blocks', 'wire'],
  });
}, 60_000);

afterAll(() => cluster?.end(), 20_000);

onIpv6(
  'a node joins and a product is right, all of it over sockets',
  async () => {
    const [a, b, c] = ['a.npy', 'b.npy', 'c.npy'].map((name) => cluster!.file(name)) as [string, string, string];
    writeExactMatrix(a, { dtype: 'float32', rows: 300, columns: 200, seed: 1 });
    writeExactMatrix(b, { dtype: 'float32', rows: 200, columns: 400, seed: 2 });
    const files = ['--a', a, '--b', b, '--out', c];
    const { code, stderr } = await cluster!.run(
      '--task',
      'matrix_mult',
      '--head',
      '::1',
      '--blocks',
      'wire',
      '--nodes',
      '1',
      ...files,
    );
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(wrongRows({ a, b, c })).toEqual([]);
  },
  20_000,
);
