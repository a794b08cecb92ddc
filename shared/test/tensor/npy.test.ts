import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  bytesOf,
  checkNpyLength,
  dtypes,
  elementsOf,
  isMusterError,
  NPY_HEADER_MAX_BYTES,
  npyHeader,
  parseNpyHeader,
  parseNpyOperand,
  type Dtype,
  type MusterError,
} from '@muster/shared';
import { skipBecause } from '@muster/shared/testkit';
import * as fc from 'fast-check';

/** A header of the given version with this text, padded as NumPy does. */
function headerBytes(text: string, version = 1): Buffer {
  const prefix = version === 1 ? 10 : 12;
  const total = Math.ceil((prefix + text.length + 1) / 64) * 64;
  const header = Buffer.from(
    '\u0093NUMPY\0\0\0\0\0\0'.slice(0, prefix) + `${text.padEnd(total - prefix - 1)}\n`,
    'latin1',
  );
  header[6] = version;
  if (version === 1) header.writeUInt16LE(total - prefix, 8);
  else header.writeUInt32LE(total - prefix, 8);
  return header;
}

const fields = (descr: string, shape = '(3, 4)', order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

function refusal(act: () => unknown): MusterError {
  try {
    act();
  } catch (error) {
    if (isMusterError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a .npy header', () => {
  test.each([1, 2, 3])('of version %i is read', (version) => {
    const bytes = headerBytes(fields("'<f8'", '(2, 5)', 'True'), version);
    expect(parseNpyHeader(bytes, 'a.npy')).toEqual({
      dtype: 'float64',
      shape: [2, 5],
      fortranOrder: true,
      dataOffset: bytes.length,
    });
  });

  test.each([
    ["'<f4'", 'float32'],
    ["'=f4'", 'float32'],
    ["'|i1'", 'int8'],
    ["'<i1'", 'int8'],
    ["'>i1'", 'int8'],
    ["'<i4'", 'int32'],
  ])('with dtype %s is %s', (descr, dtype) => {
    expect(parseNpyHeader(headerBytes(fields(descr)), 'a.npy').dtype).toBe(dtype);
  });

  test.each([
    [`{"shape":(3,4),"fortran_order":False,"descr":"<f4"}`],
    [`{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }`],
    [` { 'descr' : '\\'<f4'[1:] }`],
  ])('is a Python literal: %s', (text) => {
    if (text.includes('[1:]')) expect(refusal(() => parseNpyHeader(headerBytes(text), 'a.npy')).code).toBe('BAD_DATA');
    else expect(parseNpyHeader(headerBytes(text), 'a.npy').shape).toEqual([3, 4]);
  });

  test('is written as these bytes', () => {
    const expected = `934e554d50590100 7600`.replace(' ', '');
    const header = npyHeader('float32', [3, 4]);
    expect(header.toString('hex', 0, 10)).toBe(expected);
    expect(header.toString('latin1', 10)).toBe(
      `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }${' '.repeat(58)}\n`,
    );
  });

  test('that is written is read back', () => {
    const side = fc.integer({ min: 1, max: 65_536 });
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(dtypes) as Dtype[])), side, side, (dtype, rows, columns) => {
        const header = npyHeader(dtype, [rows, columns]);
        expect(header.length % 64).toBe(0);
        expect(parseNpyHeader(header, 'c.npy')).toEqual({
          dtype,
          shape: [rows, columns],
          fortranOrder: false,
          dataOffset: header.length,
        });
      }),
    );
  });

  test('promises a length', () => {
    const header = parseNpyHeader(npyHeader('float64', [3, 4]), 'a.npy');
    expect(() => checkNpyLength(header, 128 + 96, 'a.npy')).not.toThrow();
    expect(refusal(() => checkNpyLength(header, 128 + 95, 'a.npy')).message).toBe('a.npy is truncated');
    expect(refusal(() => checkNpyLength(header, 128 + 97, 'a.npy')).why).toBe(
      '3 x 4 float64 need 224 bytes with the header, the file has 225',
    );
  });
});

describe('a .npy file is refused with what, why and fix', () => {
  const save = (to: string): string => `np.save('a.npy', a.astype('${to}'))`;

  test.each([
    ["'>f4'", 'big-endian', save('<f4')],
    ["'>f8'", 'big-endian', save('<f8')],
    ["'|O'", 'Python objects', save('<f4')],
    ["'<f2'", 'float16', save('<f4')],
    ["'<c8'", 'complex', "np.save('a.npy', a.real.astype('<f4'))"],
    ["'<i8'", 'int64', save('<f8')],
    ["'|u1'", 'uint8', save('<f4')],
    ["'|b1'", 'bool', save('|i1')],
    ["'<i2'", 'int16', save('<f4')],
    ["'<U7'", 'not numeric', save('<f4')],
    ["'<M8[ns]'", 'not numeric', save('<f4')],
    ["[('x', '<f4'), ('y', '<f4')]", 'structured', "save one field: np.save('a.npy', a['name'].astype('<f4'))"],
  ])('dtype %s', (descr, reason, fix) => {
    const error = refusal(() => parseNpyHeader(headerBytes(fields(descr)), 'a.npy'));
    expect(error.code).toBe('BAD_DATA');
    expect(`${error.message} ${error.why}`).toContain(reason);
    expect(error.fix).toBe(fix);
  });

  test.each([
    ['()', '0 dimensions', "np.save('a.npy', a.reshape(1, -1))"],
    ['(7,)', '1 dimension;', "np.save('a.npy', a.reshape(1, -1))"],
    ['(2, 3, 4)', '3 dimensions', "np.save('a.npy', a.reshape(a.shape[0], -1))"],
    ['(0, 4)', '(0, 4)', 'give a matrix with at least one row and one column'],
  ])('shape %s', (shape, why, fix) => {
    const error = refusal(() => parseNpyHeader(headerBytes(fields("'<f4'", shape)), 'a.npy'));
    expect(error.why).toContain(why);
    expect(error.fix).toBe(fix);
  });

  test.each([
    ['no .npy', Buffer.from('PK\u0003\u0004\u0014\0 a zip'), 'it starts with 504b03041400'],
    ['empty', Buffer.alloc(0), 'it is empty'],
    ['a bare magic', Buffer.from('\u0093NUMPY', 'latin1'), 'format version 0'],
    ['a cut prefix', headerBytes(fields("'<f4'")).subarray(0, 9), 'ends after 9 bytes'],
    ['a cut text', headerBytes(fields("'<f4'")).subarray(0, 100), 'should have 128 bytes and ends after 100'],
    ['a future version', headerBytes(fields("'<f4'"), 4), 'format version 4'],
    ['a huge header', headerBytes(fields("'<f4'").padEnd(11_000)), 'a header of'],
    ['no dictionary', headerBytes('(3, 4)'), 'not a dictionary'],
    ['code', headerBytes(`__import__('os')`), 'unknown word'],
    ['an open string', headerBytes(`{'descr`), 'string without end'],
    ['two values', headerBytes('{} {}'), 'trailing text'],
    ['deep nesting', headerBytes('['.repeat(5000)), 'too deep'],
    ['no order', headerBytes(`{'descr': '<f4', 'shape': (1, 2)}`), `no 'fortran_order'`],
    ['no descr', headerBytes(`{'fortran_order': False, 'shape': (1, 2)}`), `no 'descr'`],
    ['a negative side', headerBytes(fields("'<f4'", '(-1, 2)')), `no valid 'shape'`],
    ['a shape of text', headerBytes(fields("'<f4'", "('3', 2)")), `no valid 'shape'`],
    ['a missing comma', headerBytes(fields("'<f4'", '(3 4)')), `',' expected`],
  ])('%s', (_name, bytes, why) => {
    const error = refusal(() => parseNpyHeader(bytes, 'a.npy'));
    expect(error.code).toBe('BAD_DATA');
    expect(error.why).toContain(why);
    expect(error.fix).not.toBe('');
  });

  test('int32 as an operand, but not as a result', () => {
    const error = refusal(() => parseNpyOperand(npyHeader('int32', [1, 1]), 'a.npy'));
    expect(error.why).toBe('its elements are int32; operands are float32, float64, int8');
    expect(parseNpyOperand(npyHeader('int8', [1, 1]), 'a.npy').dtype).toBe('int8');
  });

  test('whatever the bytes', () => {
    const valid = headerBytes(fields("'<f4'"));
    const damage = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, fc.nat(valid.length), (changes, length) => {
        const bytes = Buffer.from(valid);
        for (const [position, value] of changes) bytes[position] = value;
        try {
          expect(parseNpyHeader(bytes.subarray(0, length), 'a.npy').shape).toHaveLength(2);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_DATA' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

const PYTHON = spawnSync('python3', ['-c', 'import numpy']).status === 0 ? test : skipBecause('no python3 with numpy');

describe('files of NumPy', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-npy-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function python(script: string): string {
    const { status, stdout, stderr } = spawnSync('python3', ['-c', `import numpy as np\n${script}`], {
      cwd: folder,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  }

  PYTHON('are read', () => {
    python(`
for name, dtype in [('float32','<f4'), ('float64','<f8'), ('int8','|i1'), ('int32','<i4')]:
    a = np.arange(15).reshape(3, 5).astype(dtype)
    np.save(f'{name}-c.npy', a)
    np.save(f'{name}-f.npy', np.asfortranarray(a))
    for version in [(1,0),(2,0),(3,0)]:
        with open(f'{name}-v{version[0]}.npy', 'wb') as f: np.lib.format.write_array(f, a, version=version)
`);
    for (const dtype of Object.keys(dtypes) as Dtype[]) {
      for (const kind of ['c', 'f', 'v1', 'v2', 'v3']) {
        const bytes = readFileSync(join(folder, `${dtype}-${kind}.npy`));
        const header = parseNpyHeader(bytes.subarray(0, NPY_HEADER_MAX_BYTES), kind);
        expect(header).toMatchObject({ dtype, shape: [3, 5], fortranOrder: kind === 'f' });
        checkNpyLength(header, bytes.length, kind);
        const elements = elementsOf(dtype, bytes.subarray(header.dataOffset));
        expect(elements[1]).toBe(kind === 'f' ? 5 : 1);
      }
    }
  });

  PYTHON('are refused when NumPy says they are something else', () => {
    python(`
np.save('big.npy', np.ones((2,2), '>f4'))
np.save('object.npy', np.array([[1, 'a']], dtype=object), allow_pickle=True)
np.save('record.npy', np.zeros((2,2), dtype=[('x','<f4'),('y','<i4')]))
np.save('half.npy', np.ones((2,2), 'f2'))
np.save('vector.npy', np.ones(3, '<f4'))
np.save('scalar.npy', np.float32(3))
np.savez('packed.npz', a=np.ones((2,2)))
`);
    for (const name of ['big.npy', 'object.npy', 'record.npy', 'half.npy', 'vector.npy', 'scalar.npy', 'packed.npz']) {
      const error = refusal(() => parseNpyHeader(readFileSync(join(folder, name)), name));
      expect([error.code, error.why === '', error.fix === '']).toEqual(['BAD_DATA', false, false]);
    }
  });

  PYTHON('are written', () => {
    for (const dtype of Object.keys(dtypes) as Dtype[]) {
      const elements = elementsOf(dtype, new Uint8Array(6 * dtypes[dtype].bytes));
      elements.set([1, 2, 3, 4, 5, 6]);
      writeFileSync(join(folder, `ours-${dtype}.npy`), Buffer.concat([npyHeader(dtype, [2, 3]), bytesOf(elements)]));
      expect(python(`a = np.load('ours-${dtype}.npy'); print(a.dtype, a.tolist())`).trim()).toMatch(
        new RegExp(String.raw`^${dtype} \[\[1(\.0)?, 2(\.0)?, 3(\.0)?\], \[4`),
      );
    }
  });
});
