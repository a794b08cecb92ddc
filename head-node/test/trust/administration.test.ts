import { describe, expect, test } from '@jest/globals';
import type { Member, NodeStatus } from '@muster/shared';
import { memberTable } from '../../src/cli/admin-commands.ts';
import { Administration } from '../../src/trust/administration.ts';
import { LOCAL_PEER } from '../../src/trust/peer.ts';
import type { Trust } from '../../src/trust/trust.ts';

const member = (id: string, name: string, provider: string): Member =>
  ({ id, name, provider, role: 'provider', state: 'active', enrolledWallMs: 0 }) as Member;
const node = (id: string, name: string): NodeStatus => ({ id, name, state: 'ready' }) as NodeStatus;

const members = [member('m1', 'twin', 'p1'), member('m2', 'twin', 'p2')];
const nodes = [node('p1', 'twin'), node('p3', 'here')];

describe('who belongs to the cluster', () => {
  test('is who has joined, and the nodes of the own account, which need not', () => {
    expect(memberTable({ members, nodes, drained: ['p3'] }).map((line) => line.split(/ {2,}/).slice(0, 5))).toEqual([
      ['ID', 'NAME', 'ROLE', 'STATE', 'CONNECTED'],
      ['m1', 'twin', 'provider', 'active', 'ready'],
      ['m2', 'twin', 'provider', 'active', '-'],
      ['p3', 'here', 'provider', 'own account, drained', 'ready'],
    ]);
  });
});

describe('a node that cannot be revoked', () => {
  const revoked = (id: string): unknown => {
    const trust = { roster: { find: () => undefined, members } } as unknown as Trust;
    const administration = new Administration({
      trust,
      endpoints: [],
      nodes: () => nodes,
      drain: () => undefined,
      expel: () => undefined,
    });
    return administration.answer(LOCAL_PEER, { action: 'node-revoke', arguments: { id } });
  };

  test('because several have the name', () => {
    expect(() => revoked('twin')).toThrow(expect.objectContaining({ code: 'USAGE', why: '2 have that name' }));
  });

  test.each(['here', 'p3'])('because it has no key: %s', (id) => {
    expect(() => revoked(id)).toThrow(
      expect.objectContaining({
        why: "it runs under the head's own account",
        fix: 'stop it where it runs, or: head-node node drain p3',
      }),
    );
  });
});
