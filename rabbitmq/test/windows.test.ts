import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { AckWindow } from '../src/ack-window.ts';
import { checkSize, decodeBody, encodeBody } from '../src/body.ts';
import { parseBrokerUrl } from '../src/broker-url.ts';

describe('acknowledgements', () => {
  test('travel as one up to the first gap, then one by one', () => {
    const window = new AckWindow();
    for (const tag of [1, 2, 3, 4, 5]) window.delivered(tag);
    expect([window.ack(1), window.ack(2), window.ack(4), window.ack(4)]).toEqual([true, true, true, false]);
    expect(window.take()).toEqual({ upTo: 2, singles: [4] });
    expect(window.take()).toEqual({ upTo: undefined, singles: [] });
    expect(window.reject(3)).toBe(true);
    expect(window.ack(5)).toBe(true);
    expect(window.take()).toEqual({ upTo: 5, singles: [] });
    expect(window.size).toBe(0);
  });

  test('each delivery is settled once, whatever the order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 30 })), fc.integer({ min: 1, max: 7 }), (order, every) => {
        const window = new AckWindow();
        const open = new Set(Array.from({ length: 30 }, (_, at) => at + 1));
        for (const tag of open) window.delivered(tag);
        for (const [at, tag] of order.entries()) {
          window.ack(tag);
          if (at % every !== 0) continue;
          const { upTo, singles } = window.take();
          // The broker closes the channel for a tag that is not open.
          if (upTo !== undefined) expect(open.has(upTo)).toBe(true);
          for (const settled of open) if (upTo !== undefined && settled <= upTo) open.delete(settled);
          for (const single of singles) expect(open.delete(single)).toBe(true);
          expect(order.slice(at + 1).every((later) => open.has(later))).toBe(true);
        }
      }),
    );
  });
});

describe('a body', () => {
  test('is count, lengths and frames', () => {
    const frames = [Buffer.from('ab'), new Uint8Array(0), Buffer.from('c')];
    const body = encodeBody(frames);
    expect(body.toString('hex')).toBe('03000000020000000000000001000000616263');
    expect(decodeBody(body).map((frame) => Buffer.from(frame).toString())).toEqual(['ab', '', 'c']);
  });

  test('too large for any broker is refused to the caller', () => {
    expect(() => checkSize([new Uint8Array(16 * 2 ** 20)])).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    expect(() => checkSize([new Uint8Array(2 ** 20)])).not.toThrow();
  });

  test.each(['', '00', '09000000', '0100000002000000aa', '01000000', '0000000001'])('%s is none', (hex) => {
    expect(() => decodeBody(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'PROTOCOL' }));
  });
});

describe('the address of the broker', () => {
  test('is taken apart', () => {
    expect(parseBrokerUrl('amqp://user:p%40ss@[::1]:5673/a%2Fb')).toEqual({
      protocol: 'amqp',
      hostname: '::1',
      port: 5673,
      username: 'user',
      password: 'p@ss',
      vhost: 'a%2Fb',
      heartbeat: 5,
    });
    expect(parseBrokerUrl('amqps://broker')).toEqual({
      protocol: 'amqps',
      hostname: 'broker',
      vhost: '/',
      heartbeat: 5,
    });
  });

  test.each(['', 'broker', 'http://user:secret@broker', 'amqp://'])(
    'is not %p, and the error does not say the password',
    (url) => {
      const thrown = catching(() => parseBrokerUrl(url));
      expect(thrown).toMatchObject({ code: 'BACKBONE_REFUSED' });
      expect(JSON.stringify([thrown, String(thrown)])).not.toContain('secret');
    },
  );
});

function catching(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
