import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readSafetensors, safetensorsDtypes, writeSafetensors } from '@muster/shared';
import { type SafetensorsDtype, type StoredTensor } from '@muster/shared';
import { skipBecause, TemporaryDirectories } from '@muster/shared/testkit';
import * as fc from 'fast-check';

const directories = new TemporaryDirectories();
afterEach(() => directories.removeAll());

const tensor: fc.Arbitrary<StoredTensor> = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(safetensorsDtypes) as SafetensorsDtype[])),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  })
  .chain(({ dtype, shape }) => {
    const length = shape.reduce((product, side) => product * side, safetensorsDtypes[dtype]);
    return fc.record({
      dtype: fc.constant(dtype),
      shape: fc.constant(shape),
      bytes: fc.uint8Array({ minLength: length, maxLength: length }),
    });
  });

const names = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'a"b', '\\', '{', 'x:'));
const files = fc.record({
  tensors: fc.array(fc.tuple(names, tensor), { maxLength: 6 }).map((pairs) => new Map(pairs)),
  metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 4, noNullPrototype: true }),
});

/** A file with this header, and elements behind it. */
function fileOf(header: unknown, elements = 0): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(elements)]);
}

const f32 = (from: number, to: number): unknown => ({
  dtype: 'F32',
  shape: [(to - from) / 4],
  data_offsets: [from, to],
});

describe('safetensors', () => {
  test('what is written is read back, aligned and in order', () => {
    fc.assert(
      fc.property(files, (file) => {
        const bytes = Buffer.concat(writeSafetensors(file));
        const read = readSafetensors(bytes, 'w.safetensors');
        expect(read.metadata).toEqual(file.metadata);
        expect(read.tensors.size).toBe(file.tensors.size);
        for (const [name, { dtype, shape, bytes: elements }] of file.tensors) {
          const found = read.tensors.get(name)!;
          expect(found).toMatchObject({ dtype, shape });
          expect(Buffer.compare(found.bytes, elements)).toBe(0);
          expect((found.bytes.byteOffset - bytes.byteOffset) % safetensorsDtypes[dtype]).toBe(0);
        }
      }),
    );
  });

  test('arbitrary damage is refused or read, never anything else', () => {
    const whole = Buffer.concat(
      writeSafetensors({
        tensors: new Map([['w', { dtype: 'F32', shape: [2, 2], bytes: new Uint8Array(16) }]]),
        metadata: { step: '1' },
      }),
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const damagedBytes = Buffer.from(whole.subarray(0, length));
        if (at < length) damagedBytes[at] = value;
        try {
          readSafetensors(damagedBytes, 'w.safetensors');
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_DATA' });
        }
      }),
    );
  });

  test.each([
    ['nothing', Buffer.alloc(0), /it has 0 bytes/],
    ['a header longer than the limit', Buffer.from('ffffffffffffffff', 'hex'), /is the most/],
    ['a header longer than the file', fileOf({}).subarray(0, 9), /should end at byte 10/],
    ['not UTF-8', Buffer.from('0200000000000000ff7d', 'hex'), /not UTF-8/],
    ['not JSON', fileOf('{"a":'), /cannot be read/],
    ['an array', fileOf([]), /not an object/],
    ['deep JSON', fileOf('['.repeat(1e6)), /deeper than 3 levels/],
    ['a name twice', fileOf('{"a":1,"\\u0061" :2}'), /there twice/],
    ['an unknown dtype', fileOf({ a: { dtype: 'F8', shape: [], data_offsets: [0, 1] } }, 1), /dtype "F8"/],
    ['a shape below zero', fileOf({ a: { dtype: 'U8', shape: [-1], data_offsets: [0, 1] } }, 1), /shape \[-1\]/],
    ['three offsets', fileOf({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1, 2] } }, 1), /data_offsets/],
    [
      'a length that is not the shape',
      fileOf({ a: { dtype: 'U8', shape: [2], data_offsets: [0, 1] } }, 1),
      /2 bytes, and has 1/,
    ],
    [
      'a shape that overflows',
      fileOf({ a: { dtype: 'U8', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] } }, 1),
      /and has 1/,
    ],
    ['a hole', fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), /'b' begins at byte 8, the one before ends at 4/],
    ['an overlap', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), /'b' begins at byte 4/],
    ['bytes missing', fileOf({ a: f32(0, 8) }, 4), /need 8 bytes, the file has 4/],
    ['bytes left over', fileOf({ a: f32(0, 8) }, 9), /need 8 bytes, the file has 9/],
    ['a number as metadata', fileOf({ __metadata__: { step: 1 } }), /only hold texts/],
  ])('%s: BAD_DATA', (_name, bytes, why) => {
    expect(() => readSafetensors(bytes, 'w.safetensors')).toThrow(
      expect.objectContaining({ code: 'BAD_DATA', why: expect.stringMatching(why) }),
    );
  });

  test('a tensor whose bytes are not its shape is not written', () => {
    const tensors = new Map([['w', { dtype: 'F32', shape: [3], bytes: new Uint8Array(8) }]] as const);
    expect(() => writeSafetensors({ tensors, metadata: {} })).toThrow(expect.objectContaining({ code: 'BUG' }));
  });

  /** Reads as the format's README describes, with nothing of ours. */
  const reader = `
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
size, = struct.unpack('<Q', raw[:8])
header = json.loads(raw[8:8 + size])
out = {'metadata': header.pop('__metadata__', {})}
codes = {'F32': 'f', 'F64': 'd', 'I32': 'i', 'I64': 'q', 'U8': 'B', 'BF16': 'H'}
for name, entry in header.items():
    begin, end = entry['data_offsets']
    part = raw[8 + size + begin:8 + size + end]
    code = codes[entry['dtype']]
    out[name] = [entry['shape'], list(struct.unpack('<%d%s' % (len(part) // struct.calcsize('<' + code), code), part))]
print(json.dumps(out))`;
  const hasPython = spawnSync('python3', ['-c', '']).status === 0;

  (hasPython ? test : skipBecause('no python3 on this machine'))('a reader of another make reads it', () => {
    const path = join(directories.make(), 'w.safetensors');
    const stored = (
      dtype: SafetensorsDtype,
      shape: readonly number[],
      array: Uint8Array | BigInt64Array | Float32Array | Float64Array | Uint16Array,
    ): StoredTensor => ({
      dtype,
      shape,
      bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
    });
    const tensors = new Map([
      ['mask', stored('U8', [3], Uint8Array.of(1, 0, 255))],
      ['layers.0.weight', stored('F32', [2, 2], Float32Array.of(1, -2.5, 3, 0.125))],
      ['moment', stored('F64', [1], Float64Array.of(1 / 3))],
      ['half', stored('BF16', [2], Uint16Array.of(0x3f80, 0xbf80))],
      ['step', stored('I64', [], BigInt64Array.of(-7n))],
    ]);
    writeFileSync(path, Buffer.concat(writeSafetensors({ tensors, metadata: { epoch: '3', 'a "b"': 'ü' } })));
    const { status, stdout, stderr } = spawnSync('python3', ['-c', reader, path], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      metadata: { epoch: '3', 'a "b"': 'ü' },
      mask: [[3], [1, 0, 255]],
      'layers.0.weight': [
        [2, 2],
        [1, -2.5, 3, 0.125],
      ],
      moment: [[1], [1 / 3]],
      half: [[2], [0x3f80, 0xbf80]],
      step: [[], [-7]],
    });
  });
});
