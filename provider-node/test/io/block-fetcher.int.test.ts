import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { blockIdOf, decode, encode, limits, silentLogger, toWireError, MusterError } from '@muster/shared';
import { BlockStore, type HeadRoute } from '@muster/shared/io';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { Router } from 'zeromq';
import { BlockFetcher } from '../../src/io/block-fetcher.ts';

const directories = new TemporaryDirectories();
const bytes = Buffer.from('operand');
const id = blockIdOf(bytes);

let head: Router;
let blocks: BlockStore;
let fetcher: BlockFetcher;

beforeEach(async () => {
  head = new Router({ linger: 0 });
  await head.bind('tcp://127.0.0.1:*');
  blocks = await BlockStore.open({ directory: directories.make(), maxBytes: 1000 });
  const addresses = { clients: head.lastEndpoint ?? '' } as HeadRoute['addresses'];
  fetcher = new BlockFetcher({ addresses, curve: null, seal: '' }, blocks, { logger: silentLogger, askAgainMs: 100 });
});

afterEach(() => {
  fetcher.close();
  head.close();
  directories.removeAll();
});

/** The next question: whom to answer, and its number. */
async function question(): Promise<{ peer: Buffer; request: number }> {
  const [peer, ...frames] = await head.receive();
  const { message } = decode(frames);
  if (peer === undefined || message.type !== 'fetch') throw new Error(`unexpected: ${message.type}`);
  return { peer, request: message.request };
}

const answer = (peer: Buffer, request: number): Promise<void> =>
  head.send([peer, encode('chunk', { request, total: bytes.length }), bytes]);

test('a probe asks for more and more until it takes long enough, and then the rate is known', async () => {
  const answering = (async () => {
    const sizes: number[] = [];
    while (sizes.length < 2) {
      const [peer, ...frames] = await head.receive();
      const { message } = decode(frames);
      if (peer === undefined || message.type !== 'probe') throw new Error(`unexpected: ${message.type}`);
      sizes.push(message.bytes);
      if (sizes.length === 2) await new Promise((resolve) => setTimeout(resolve, 60));
      await head.send([peer, encode('chunk', { request: message.request, total: 0 }), Buffer.alloc(message.bytes)]);
    }
    return sizes;
  })();
  expect(fetcher.bytesPerMs).toBe(0);
  await fetcher.probe();
  expect(await answering).toEqual([2 ** 16, 2 ** 20]);
  expect(fetcher.bytesPerMs).toBeGreaterThan(0);
  expect(fetcher.bytesPerMs).toBeLessThanOrEqual(2 ** 20 / 59);
});

describe('a block fetch', () => {
  test('of many blocks asks for no more at a time than the limit, and for the others as answers come', async () => {
    const wanted = Array.from({ length: limits.fetchesUnderWay.value + 5 }, (_, at) => blockIdOf(Buffer.from(`${at}`)));
    const fetched = fetcher.fetch(wanted);
    const asked = new Set<number>();
    // Those without an answer are asked for again.
    for (let at = 0; at < 3 * limits.fetchesUnderWay.value; at += 1) asked.add((await question()).request);
    expect(asked.size).toBe(limits.fetchesUnderWay.value);
    fetcher.close();
    await expect(fetched).rejects.toMatchObject({ code: 'HEAD_UNREACHABLE' });
  });

  test('whose answer is lost asks again', async () => {
    const fetched = fetcher.fetch([id]);
    const lost = await question();
    const { peer, request } = await question();
    expect(request).toBe(lost.request);
    await answer(peer, request);
    await fetched;
    expect(blocks.read(id, 0, 100).equals(bytes)).toBe(true);
  });

  test('outlives an answer that is no message', async () => {
    const fetched = fetcher.fetch([id]);
    const { peer, request } = await question();
    await head.send([peer, Buffer.from('rubbish')]);
    await answer(peer, request);
    await fetched;
    expect(blocks.has(id)).toBe(true);
  });

  test('rejects with what the head says', async () => {
    const fetched = fetcher.fetch([id]);
    const { peer, request } = await question();
    const error = toWireError(new MusterError('BLOCK_MISSING', 'gone'));
    await head.send([peer, encode('error', { request, error })]);
    await expect(fetched).rejects.toMatchObject({ code: 'BLOCK_MISSING' });
  });
});
