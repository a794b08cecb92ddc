import { describe, expect, test } from '@jest/globals';
import { mayRequest, messageRights, messages, reachOf, roles, type MessageType, type Role } from '@muster/shared';

const types = Object.keys(messages) as MessageType[];
const mayOnly = (...held: Role[]): MessageType[] => types.filter((type) => reachOf(type, held) !== null).toSorted();

describe('the table of rights', () => {
  test('names every message', () => {
    expect(Object.keys(messageRights).toSorted()).toEqual(types.toSorted());
  });

  test('lets a provider work, ask for blocks and nothing else', () => {
    expect(mayOnly('provider')).toEqual(
      [
        'bye',
        'failed',
        'fetch',
        'greet',
        'heartbeat',
        'probe',
        'ready',
        'register',
        'result',
        'resultChunk',
      ].toSorted(),
    );
  });

  test('lets a viewer look on', () => {
    expect(mayOnly('viewer')).toEqual(['greet', 'listNodes', 'listTasks', 'show', 'watch'].toSorted());
  });

  test('lets a submitter do with its own tasks what an admin does with any, but not administer', () => {
    const submitter = mayOnly('submitter');
    expect(mayOnly('admin').filter((type) => !submitter.includes(type))).toEqual(['administer']);
    expect(submitter.filter((type) => reachOf(type, ['submitter']) === 'own')).toEqual(
      ['audit', 'bind', 'cancel', 'fetchResult', 'listTasks', 'put', 'show', 'submit', 'sync', 'watch'].toSorted(),
    );
  });

  test('lets nobody without a role say anything', () => {
    expect(mayOnly()).toEqual([]);
  });

  test('gives who has two roles the better of their reaches', () => {
    expect(reachOf('show', ['submitter', 'viewer'])).toBe('any');
    expect(reachOf('result', [...roles])).toBe('own');
  });

  test('knows every route, and no other', () => {
    for (const route of ['/healthz', '/readyz', '/metrics']) expect(mayRequest(route, 'anonymous')).toBe(true);
    for (const route of ['/', '/tasks', 'toString', '__proto__']) expect(mayRequest(route, 'admin')).toBe(false);
  });
});
