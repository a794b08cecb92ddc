import { expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import * as fc from 'fast-check';
import { frameOf, readFrames } from '../../src/io/frames.ts';

interface Read {
  readonly frames: unknown[];
  garbage: number;
}

function readPieces(bytes: Buffer, pieceBytes: number): Read {
  const read: Read = { frames: [], garbage: 0 };
  const stream = new PassThrough();
  readFrames(stream, { onFrame: (frame) => read.frames.push(frame), onGarbage: () => (read.garbage += 1) });
  for (let at = 0; at < bytes.length; at += pieceBytes) stream.emit('data', bytes.subarray(at, at + pieceBytes));
  return read;
}

const messages = fc.array(fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.constant(null))));

test('messages arrive whole, however the pipe cuts them', () => {
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 50 }), (sent, pieceBytes) => {
      const { frames, garbage } = readPieces(Buffer.concat(sent.map(frameOf)), pieceBytes);
      expect(frames).toEqual(sent);
      expect(garbage).toBe(0);
    }),
  );
});

test('what follows garbage is not read', () => {
  const stray = Buffer.concat([frameOf('first'), Buffer.from('hello, world'), frameOf('second')]);
  expect(readPieces(stray, 8)).toEqual({ frames: ['first'], garbage: 1 });
});
