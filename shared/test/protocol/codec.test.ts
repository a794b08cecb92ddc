import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import {
  decode,
  encode,
  HEADER_BYTES,
  isMusterError,
  limits,
  messages,
  PROTOCOL_VERSION,
  type Fields,
  type MessageType,
} from '@muster/shared';
import * as fc from 'fast-check';
import { arbitraryOf } from './arbitrary-of.ts';

const types = Object.keys(messages) as MessageType[];
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** A frame around any bytes, its header right in every respect. */
function frameAround(meta: Uint8Array, code: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(0x754d, 0);
  header[2] = PROTOCOL_VERSION;
  header[3] = code;
  header.writeUInt32LE(crc32(meta), 12);
  header.writeUInt32LE(meta.length, 16);
  return Buffer.concat([header, meta]);
}

/** The code of the MusterError, 'decoded', or whatever else was thrown. */
function outcome(frames: readonly Uint8Array[]): unknown {
  try {
    decode(frames);
    return 'decoded';
  } catch (error) {
    return isMusterError(error) ? error.code : error;
  }
}

const refusals = ['PROTOCOL', 'VERSION_MISMATCH'];

describe('the codec', () => {
  test.each(types)('carries %s unchanged', (type) => {
    fc.assert(
      fc.property(arbitraryOf(messages[type].schema), uint32, uint32, (fields, epoch, seq) => {
        const payload = Uint8Array.of(1, 2, 3);
        const envelope = decode([encode(type, fields as Fields<typeof type>, { epoch, seq }), payload]);
        expect(envelope).toEqual({ message: { ...(fields as object), type }, epoch, seq, payload });
      }),
      { numRuns: 30 },
    );
  });

  test('gives every type its own code', () => {
    expect(new Set(types.map((type) => messages[type].code)).size).toBe(types.length);
    expect(types.every((type) => messages[type].code > 0 && messages[type].code < 256)).toBe(true);
  });

  test('writes these bytes', () => {
    const frame = encode('beat', { epoch: 2, seq: 300, known: true }, { epoch: 7, seq: 0x01020304 });
    expect(frame.toString('hex')).toBe(GOLDEN_BEAT.replaceAll(' ', ''));
  });

  test('hands the payload on as a view', () => {
    const payload = new Uint8Array(8);
    expect(decode([encode('ok', {}), payload]).payload).toBe(payload);
    expect(decode([encode('ok', {})]).payload).toBeNull();
  });

  test('reads a frame that lies anywhere in a larger buffer', () => {
    const frame = encode('done', { request: 5 });
    const shifted = Buffer.concat([Buffer.alloc(3), frame, Buffer.alloc(2)]).subarray(3, 3 + frame.length);
    expect(decode([shifted]).message).toEqual({ type: 'done', request: 5 });
  });

  test('drops what a field does not have', () => {
    const extra = { request: 5, admin: true } as Fields<'done'>;
    expect(decode([encode('done', extra)]).message).toEqual({ type: 'done', request: 5 });
  });

  test('will not write a meta that no peer would read', () => {
    const spec = 'x'.repeat(limits.metaBytesMax.value);
    const fields = { request: 1, task: '0123456789abcdef', type: 'echo', spec, nodes: 1, waitNodesMs: 0, timeoutMs: 0 };
    expect(() => encode('submit', fields as unknown as Fields<'submit'>)).toThrow(
      expect.objectContaining({ code: 'BUG' }),
    );
  });
});

describe('the codec refuses', () => {
  const frame = encode('done', { request: 5 });
  const changed = (change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(frame);
    change(copy);
    return copy;
  };

  test.each<[string, readonly Uint8Array[]]>([
    ['nothing', []],
    ['an empty frame', [Buffer.alloc(0)]],
    ['three frames', [frame, frame, frame]],
    ['another magic', [changed((copy) => copy.writeUInt16LE(0x4d75, 0))]],
    ['an unknown type', [changed((copy) => (copy[3] = 255))]],
    ['a wrong checksum', [changed((copy) => copy.writeUInt32LE(1, 12))]],
    ['a wrong length', [changed((copy) => copy.writeUInt32LE(1000, 16))]],
    ['a changed meta', [changed((copy) => (copy[HEADER_BYTES] = 0x90))]],
    ['a payload beyond the limit', [frame, new Uint8Array(limits.messageBytesMax.value + 1)]],
    ['a meta beyond the limit', [frameAround(Buffer.alloc(limits.metaBytesMax.value + 1), 81)]],
    ['a field too many', [frameAround(Buffer.from([0x92, 1, 2]), 81)]],
    ['a map for a meta', [frameAround(Buffer.from([0x80]), 81)]],
    ['no meta', [frameAround(Buffer.alloc(0), 81)]],
    ['bytes behind the meta', [frameAround(Buffer.from([0x91, 5, 5]), 81)]],
    ['a negative number', [frameAround(Buffer.from([0x91, 0xff]), 81)]],
    ['a text for a number', [frameAround(Buffer.from([0x91, 0xa1, 0x35]), 81)]],
    ['an array that claims 2^32 - 1 items', [frameAround(Buffer.from([0xdd, 255, 255, 255, 255]), 81)]],
    ['a text that claims 2^32 - 1 bytes', [frameAround(Buffer.from([0x91, 0xdb, 255, 255, 255, 255]), 81)]],
    ['arrays 60,000 deep', [frameAround(Buffer.alloc(60_000, 0x91), 81)]],
  ])('%s', (_name, frames) => expect(outcome(frames)).toBe('PROTOCOL'));

  test('another version, and says which', () => {
    const other = changed((copy) => (copy[2] = 9));
    expect(() => decode([other])).toThrow(
      expect.objectContaining({ code: 'VERSION_MISMATCH', why: 'version 9 and version 3' }),
    );
  });

  test('every extension type, in any length of encoding', () => {
    const [before, after] = specEncoding();
    const frameWith = (spec: Uint8Array): Buffer =>
      frameAround(Buffer.concat([before, spec, after]), messages.submit.code);
    expect(outcome([frameWith(Uint8Array.of(7))])).toBe('decoded');
    const accepted: string[] = [];
    for (let type = 0; type < 256; type++) {
      for (const extension of extensionsOf(type)) {
        const result = outcome([frameWith(extension)]);
        if (result !== 'PROTOCOL') accepted.push(`0x${extension.toString('hex')}: ${String(result)}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  /** The bytes of a `submit` on both sides of its `spec`, the one field whose content the codec does not check. */
  function specEncoding(): [Buffer, Buffer] {
    const mark = 'spec goes here';
    const [fields] = fc.sample(arbitraryOf(messages.submit.schema), { seed: 1, numRuns: 1 });
    const meta = encode('submit', { ...(fields as Fields<'submit'>), spec: mark }).subarray(HEADER_BYTES);
    const at = meta.indexOf(mark);
    return [meta.subarray(0, at - 1), meta.subarray(at + mark.length)];
  }

  function extensionsOf(type: number): Buffer[] {
    const fixed = [1, 2, 4, 8, 16].map((length, at) => [0xd4 + at, type, ...Buffer.alloc(length, 1)]);
    const counted = [0, 3, 12].map((length) => [0xc7, length, type, ...Buffer.alloc(length, 1)]);
    return [...fixed, ...counted, [0xc8, 0, 2, type, 1, 1], [0xc9, 0, 0, 0, 2, type, 1, 1]].map((bytes) =>
      Buffer.from(bytes),
    );
  }

  test('a prefix of any message', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...types).chain((type) => fc.tuple(fc.constant(type), arbitraryOf(messages[type].schema))),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        ([type, fields], share) => {
          const whole = encode(type, fields as Fields<typeof type>);
          expect(outcome([whole.subarray(0, Math.floor(whole.length * share))])).toBe('PROTOCOL');
        },
      ),
      { numRuns: 200 },
    );
  });

  test('garbage, with nothing but its own two codes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expect(refusals).toContain(outcome([bytes]))),
      { numRuns: 500 },
    );
  });

  test('any change of one byte of magic, version, lengths, checksum or meta', () => {
    const positions = fc.nat(frame.length - 1).filter((at) => at < 3 || at >= 12);
    fc.assert(
      fc.property(positions, fc.integer({ min: 1, max: 255 }), (at, difference) => {
        expect(refusals).toContain(outcome([changed((copy) => (copy[at] = (copy[at] ?? 0) ^ difference))]));
      }),
      { numRuns: 500 },
    );
  });

  test('metas of garbage behind a perfect header, or reads them as a whole message', () => {
    const codes = types.map((type) => messages[type].code);
    const metas = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc
        .tuple(fc.integer({ min: 0x90, max: 0x9f }), fc.uint8Array({ maxLength: 120 }))
        .map(([first, rest]) => Uint8Array.of(first, ...rest)),
    );
    fc.assert(
      fc.property(metas, fc.constantFrom(...codes), (meta, code) => {
        expect(['PROTOCOL', 'decoded']).toContain(outcome([frameAround(meta, code)]));
      }),
      { numRuns: 2000 },
    );
  });
});

/** magic 4d75, version 01, type 11, epoch, seq, crc32, length 6; then [2, 300, true]. */
const GOLDEN_BEAT = '4d750311 07000000 04030201 663249ee 06000000 9302cd012cc3';
