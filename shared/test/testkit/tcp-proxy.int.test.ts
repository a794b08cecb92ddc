import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { freePortBase, TcpProxy, waitUntil } from '@muster/shared/testkit';

const LATENCY_MS = 80;

let server: Server;
let proxy: TcpProxy;
let port: number;
/** What the server's end of the connections has got. */
let arrived: string;
let ends: Socket[];

beforeEach(async () => {
  const [from, to] = [await freePortBase(), await freePortBase()];
  arrived = '';
  ends = [];
  server = createServer((socket) => {
    ends.push(socket);
    socket
      .on('error', () => undefined)
      .on('data', (bytes) => {
        arrived += bytes.toString('latin1');
        socket.write(bytes);
      });
  }).listen(to, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.start({ from, to, ports: 1 });
  port = from;
});

afterEach(async () => {
  await proxy.close();
  for (const socket of ends) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const closing = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

async function caller(to = port): Promise<{ socket: Socket; said: () => string; closed: Promise<unknown> }> {
  const socket = connect(to, '127.0.0.1').on('error', () => undefined);
  const closed = closing(socket);
  let said = '';
  socket.on('data', (bytes) => (said += bytes.toString('latin1')));
  await once(socket, 'connect');
  return { socket, said: () => said, closed };
}

const echoed = (said: () => string, text: string): Promise<unknown> =>
  waitUntil(() => said() === text, { what: `an echo of ${text.length} bytes` });

describe('the TCP proxy', () => {
  test('carries both directions in order, more than fits into its window, and the end', async () => {
    const { socket, said, closed } = await caller();
    const text = Array.from({ length: 2_000_000 }, (_, at) => `${at}`.padStart(5, '.')).join('');
    socket.write(text, 'latin1');
    await echoed(said, text);
    socket.end();
    await closed;
    await waitUntil(() => ends.every(({ destroyed }) => destroyed), { what: 'the server saw the end' });
  });

  test('a cut ends what is there and what comes, until it is healed', async () => {
    const { socket, said, closed } = await caller();
    socket.write('one');
    await echoed(said, 'one');
    proxy.cut();
    await closed;
    await closing(connect(port, '127.0.0.1').on('error', () => undefined));
    expect(ends).toHaveLength(1);
    proxy.heal();
    const again = await caller();
    again.socket.write('two');
    await echoed(again.said, 'two');
    again.socket.end();
  });

  test('a black hole keeps connections and loses nothing', async () => {
    const { socket, said } = await caller();
    socket.write('one');
    await echoed(said, 'one');
    proxy.blackHole();
    socket.write('two');
    const beside = await caller();
    beside.socket.write('three');
    const direct = await caller((server.address() as AddressInfo).port);
    direct.socket.write('|');
    await echoed(direct.said, '|');
    direct.socket.end();
    expect({ arrived, said: said() + beside.said() }).toEqual({ arrived: 'one|', said: 'one' });
    proxy.heal();
    await echoed(said, 'onetwo');
    await echoed(beside.said, 'three');
  });

  test('latency holds in each direction', async () => {
    const { socket, said } = await caller();
    proxy.delay(LATENCY_MS);
    const sentMs = performance.now();
    socket.write('there and back');
    await echoed(said, 'there and back');
    // Timers may fire up to a millisecond early.
    expect(performance.now() - sentMs).toBeGreaterThanOrEqual(2 * LATENCY_MS - 2);
  });
});
