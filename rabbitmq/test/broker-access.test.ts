import { describe, expect, test } from '@jest/globals';
import type { ProviderId } from '@muster/shared';
import { expectBrokerUsable, providerRights, providerUser, reachableFrom } from '../src/index.ts';
import { brokerAccess } from '../src/broker-access.ts';
import { speaksFor } from '../src/provider-rights.ts';

const [mine, others] = ['00000000000000f1', '00000000000000f2'] as [ProviderId, ProviderId];
const tls = { ca: '-----BEGIN CERTIFICATE-----' };
const pair = { cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN PRIVATE KEY-----' };

function catching(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe('the user guest', () => {
  test.each(['amqp://guest:guest@broker', 'amqp://broker', 'amqps://guest:secret@192.0.2.1', 'amqp://[fd00::1]:5672'])(
    'is not for %s',
    (url) => {
      const error = catching(() => brokerAccess(url));
      expect(error).toMatchObject({ code: 'BACKBONE_REFUSED', fix: expect.stringContaining('AMQP_URL=') });
      expect(JSON.stringify(error)).not.toContain('secret');
    },
  );

  test.each(['amqp://guest:guest@127.0.0.1', 'amqp://localhost:5672', 'amqp://guest:guest@[::1]/v'])(
    'is for %s',
    (url) => {
      expect(brokerAccess(url)).toMatchObject({ user: 'guest' });
    },
  );

  test('does not administer another machine either', () => {
    const settings = { url: 'amqp://head:secret@broker', tls: {} };
    const admin = (adminUrl: string): unknown => catching(() => expectBrokerUsable({ ...settings, adminUrl }));
    expect(admin('http://guest:guest@broker:15672')).toMatchObject({ code: 'BACKBONE_REFUSED' });
    expect(admin('http://guest:guest@127.0.0.1:15672')).toBeUndefined();
    expect(admin('https://keeper:secret@broker:15671')).toBeUndefined();
  });
});

describe('keys for TLS', () => {
  test('go with the socket', () => {
    expect(brokerAccess('amqps://head:secret@broker', tls)).toMatchObject({ socket: tls, user: 'head' });
  });

  test('say who we are where the URL does not', () => {
    const { user, socket } = brokerAccess('amqps://broker/muster', { ...tls, ...pair });
    expect(user).toBeUndefined();
    expect(socket.credentials?.mechanism).toBe('EXTERNAL');
    expect(brokerAccess('amqps://head:secret@broker', pair).socket.credentials).toBeUndefined();
  });

  test('that would not be used are refused', () => {
    const usable = (urls: { url: string; adminUrl?: string; publicUrl?: string }): unknown =>
      catching(() => expectBrokerUsable({ ...urls, tls }));
    const here = 'amqp://head:secret@127.0.0.1';
    expect(usable({ url: here })).toMatchObject({ code: 'BACKBONE_REFUSED' });
    expect(usable({ url: here, publicUrl: 'amqps://broker:5671' })).toBeUndefined();
    expect(usable({ url: here, adminUrl: 'https://a:b@broker:15671' })).toBeUndefined();
    expect(usable({ url: 'amqps://head:secret@broker' })).toBeUndefined();
  });
});

test.each(['', 'broker', 'amqp://a:secret@b', 'http://broker:15672'])(
  'the address of the management interface is not %p, and the error does not say the password',
  (adminUrl) => {
    const error = catching(() => expectBrokerUsable({ url: 'amqp://a:b@c', adminUrl, tls: {} }));
    expect(error).toMatchObject({ code: 'BACKBONE_REFUSED' });
    expect(JSON.stringify([error, String(error)])).not.toContain('secret');
  },
);

describe('the rights of a provider', () => {
  const { configure, write, read } = providerRights(mine);
  const allows = (pattern: string, name: string): boolean => new RegExp(pattern).test(name);

  test('are its own queue, operands and the exchange of results', () => {
    expect(allows(read, `p.${mine}.tasks`)).toBe(true);
    expect(allows(read, 't.00000000000000aa.blocks')).toBe(true);
    expect(allows(write, 'muster.results')).toBe(true);
  });

  test.each([`p.${others}.tasks`, `p.${mine}.tasks.more`, 'results', 'dead', 'events', 't.aa.results', 'work.cpu', ''])(
    'are not to read %p',
    (name) => expect(allows(read, name)).toBe(false),
  );

  test.each(['muster.tasks', 'muster.dead', 'muster.results2', 'amq.default', '', `p.${mine}.tasks`])(
    'are not to write %p',
    (name) => expect(allows(write, name)).toBe(false),
  );

  test('are to declare nothing', () => {
    for (const name of [`p.${mine}.tasks`, 'anything']) expect(allows(configure, name)).toBe(false);
  });
});

test('a user of a provider speaks for that one, one of nobody for all, and who says nothing for none', () => {
  const user = providerUser(mine, 'muster');
  expect(speaksFor(user, mine, 'muster')).toBe(true);
  expect(speaksFor(user, others, 'muster')).toBe(false);
  expect(speaksFor(providerUser(mine, 'elsewhere'), mine, 'muster')).toBe(false);
  expect(speaksFor('head', mine, 'muster')).toBe(true);
  expect(speaksFor(null, mine, 'muster')).toBe(false);
});

test('a broker on the machine of the head is looked for there', () => {
  const url = 'amqp://provider.00000000000000f1%40muster:pw@127.0.0.1:5672/muster';
  expect(reachableFrom(url, '192.0.2.7')).toBe(url.replace('127.0.0.1', '192.0.2.7'));
  expect(reachableFrom(url, 'fd00::7')).toBe(url.replace('127.0.0.1', '[fd00::7]'));
  expect(reachableFrom(url, 'localhost')).toBe(url);
  const elsewhere = url.replace('127.0.0.1', 'broker.example');
  expect(reachableFrom(elsewhere, '192.0.2.7')).toBe(elsewhere);
});
