import { describe, expect, test } from '@jest/globals';
import { convolution, matrixProduct } from '@muster/shared';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** A protobuf field as hex: tag, length, content. */
const field = (tag: string, content: string): string =>
  tag + (content.length / 2).toString(16).padStart(2, '0') + content;
const ascii = (text: string): string => Buffer.from(text).toString('hex');

/** type and shape of a value with two symbolic dimensions */
const value = (name: string, type: string, [first, second]: readonly [string, string]): string => {
  const dims = [first, second].map((dim) => field('0a', field('12', ascii(dim)))).join('');
  return field('0a', ascii(name)) + field('12', field('0a', `08${type}${field('12', dims)}`));
};
const opset17 = field('42', `${field('0a', '')}1011`);

describe('bytes of small models, field by field', () => {
  test('a float32 product', () => {
    const node =
      field('0a', ascii('A')) + field('0a', ascii('B')) + field('12', ascii('C')) + field('22', ascii('MatMul'));
    const graph =
      field('0a', node) +
      field('12', ascii('product')) +
      field('5a', value('A', '01', ['M', 'K'])) +
      field('5a', value('B', '01', ['K', 'N'])) +
      field('62', value('C', '01', ['M', 'N']));
    expect(hex(matrixProduct({ a: 'float32', b: 'float32' }))).toBe(`0808${field('3a', graph)}${opset17}`);
  });

  test('the bytes of that model, literally', () => {
    expect(hex(matrixProduct({ a: 'float32', b: 'float32' }))).toBe(
      '08083a610a110a01410a014212014322064d61744d756c120770726f647563745a150a014112100a0e0801120a0a0312014d0a0312014b5a' +
        '150a014212100a0e0801120a0a0312014b0a0312014e62150a014312100a0e0801120a0a0312014d0a0312014e42040a001011',
    );
  });

  test('a B that is resident is an external initializer and no input', () => {
    const bytes = hex(matrixProduct({ a: 'float64', b: 'float64' }, { rows: 300, columns: 2 }));
    const entry = (key: string, text: string): string =>
      field('6a', field('0a', ascii(key)) + field('12', ascii(text)));
    const tensor =
      '08ac02' + // dims: 300 takes two bytes, low seven bits first
      '0802' +
      '100b' +
      field('42', ascii('B')) +
      entry('location', 'B.bin') +
      entry('offset', '0') +
      entry('length', '4800') +
      '7001';
    expect(bytes).toContain(field('2a', tensor));
    expect(bytes).not.toContain(field('5a', value('B', '0b', ['K', 'N'])));
  });

  test('an integer product has its zero points as scalars and an int32 result', () => {
    const bytes = hex(matrixProduct({ a: 'uint8', b: 'int8' }));
    expect(bytes).toContain(field('2a', `1002${field('42', ascii('zeroA'))}${field('4a', '80')}`));
    expect(bytes).toContain(field('2a', `1003${field('42', ascii('zeroB'))}${field('4a', '00')}`));
    expect(bytes).toContain(field('62', value('C', '06', ['M', 'N'])));
  });

  test('a convolution carries its padding', () => {
    const pads = `${field('0a', ascii('pads'))}4002400240024002a00107`;
    expect(hex(convolution(2))).toContain(field('2a', pads));
  });
});
