import { expect, test } from '@jest/globals';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { encodeFrame, readFrames, type Reply } from '../../src/compute/compute-protocol.ts';

const replies = fc.array(fc.string({ unit: 'grapheme' }).map((reason): Reply => ({ type: 'refused', reason })));

test('messages arrive whole, however the pipe cuts them', async () => {
  await fc.assert(
    fc.asyncProperty(replies, fc.integer({ min: 1, max: 50 }), async (sent, pieceBytes) => {
      const stream = Buffer.concat(sent.map(encodeFrame));
      const pieces = Array.from({ length: Math.ceil(stream.length / pieceBytes) }, (_, at) =>
        stream.subarray(at * pieceBytes, (at + 1) * pieceBytes),
      );
      const received: Reply[] = [];
      for await (const reply of readFrames<Reply>(Readable.from(pieces))) received.push(reply);
      expect(received).toEqual(sent);
    }),
    { numRuns: 50 },
  );
});
