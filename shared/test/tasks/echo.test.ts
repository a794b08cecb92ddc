import { describe, expect, test } from '@jest/globals';
import { checkEcho, limits, parseEchoSpec, taskTypeNamed, taskTypes } from '@muster/shared';
import { echoSpec, nodeFacts } from '@muster/shared/testkit';
import * as fc from 'fast-check';

const echo = taskTypeNamed('echo');
const indexLists = fc.uniqueArray(fc.nat(limits.echoCountMax.value - 1), { minLength: 1, maxLength: 40 });
const sizes = fc.integer({ min: 8, max: 200 });

describe('echo', () => {
  test('has defaults', () => {
    expect(parseEchoSpec({ count: 5 })).toEqual({ count: 5, bytes: 64, batch: 64 });
  });

  test.each([
    { count: 0 },
    { count: 10_000_001 },
    { count: 1, bytes: 7 },
    { count: 1, bytes: 4097 },
    { count: 1, batch: 0 },
    { count: 1, batch: 4097 },
    { count: 1, window: 17 },
    {},
    null,
  ])('refuses %j', (raw) => {
    expect(() => echo.parseSpec(raw)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('of ten million subtasks is planned without a list of them', () => {
    const plan = echo.plan(echoSpec({ count: 10_000_000 }), [nodeFacts(), nodeFacts()]);
    expect(plan).toMatchObject({ subtasks: 10_000_000, batch: 64, homes: [], nodes: 2, layout: null });
  });

  test('puts no more than one chunk of bytes into a lease', () => {
    const spec = echoSpec({ count: 10_000, bytes: 4096, batch: 4096 });
    expect(echo.plan(spec, []).batch * spec.bytes).toBe(limits.chunkBytesMax.value);
  });

  test('knows its payload when it comes back', () => {
    fc.assert(
      fc.property(indexLists, sizes, (indices, bytes) => {
        const spec = echoSpec({ count: 10_000_000, bytes });
        const payload = echo.payload(spec, indices);
        expect(payload).toHaveLength(indices.length * bytes);
        expect(checkEcho(spec, indices, Uint8Array.from(payload ?? []))).toBe(true);
      }),
    );
  });

  test('sees any changed, missing or displaced byte', () => {
    fc.assert(
      fc.property(indexLists, sizes, fc.nat(), (indices, bytes, position) => {
        const spec = echoSpec({ count: 10_000_000, bytes });
        const payload = Uint8Array.from(echo.payload(spec, indices) ?? []);
        expect(checkEcho(spec, indices, payload.subarray(1))).toBe(false);
        expect(
          checkEcho(
            spec,
            indices.map((index) => index + 1),
            payload,
          ),
        ).toBe(false);
        const at = position % payload.length;
        payload[at] = (payload[at] ?? 0) ^ 1;
        expect(checkEcho(spec, indices, payload)).toBe(false);
      }),
    );
  });

  test('says the same of a subtask whatever it travels with', () => {
    const spec = echoSpec({ bytes: 17 });
    const together = echo.payload(spec, [3, 9]) ?? new Uint8Array();
    expect(together.subarray(17)).toEqual(echo.payload(spec, [9]));
    expect(Buffer.from(echo.payload(echoSpec({ bytes: 8 }), [0]) ?? []).toString('hex')).toMatchInlineSnapshot(
      `"4d28504e895e7d4e"`,
    );
  });

  test('needs no blocks, no arithmetic and no place', () => {
    const spec = echoSpec({ window: 4 });
    const plan = echo.plan(spec, [nodeFacts()]);
    expect([
      echo.operands(spec),
      echo.needs(spec, plan, 0),
      echo.flops(spec, plan, 0),
      echo.region(spec, plan, 0),
    ]).toEqual([[], [], 0, []]);
    expect(echo.work(spec, plan, { indices: [0], blocks: () => '' as never, node: '' as never })).toEqual({
      bytes: 64,
    });
    expect([echo.window(spec), echo.window(echoSpec())]).toEqual([4, null]);
    expect([echo.blockBytes(spec, { operand: 'a', block: 0 }), echo.resultBytes(spec, plan, 0)]).toEqual([0, 0]);
    expect(echo.describe(spec)).toEqual({ shape: [100], dtype: '' });
  });
});

describe('the registry', () => {
  test('knows every type by its name', () => {
    for (const [name, type] of Object.entries(taskTypes))
      expect([type.name, taskTypeNamed(name)]).toEqual([name, type]);
  });

  test.each(['matmul', 'toString', '__proto__', ''])('refuses %j with the names that there are', (name) => {
    expect(() => taskTypeNamed(name)).toThrow(
      expect.objectContaining({ code: 'USAGE', fix: 'use one of: matrix_mult, echo, train, infer' }),
    );
  });
});
