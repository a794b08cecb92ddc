import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { messageRights, roles, type MessageType, type Reach, type Role } from '@muster/shared';

/** What each row of the table speaks of. */
const messagesOf: Readonly<Record<string, readonly MessageType[]>> = {
  nodes: ['listNodes'],
  'list, show and watch tasks': ['listTasks', 'show', 'watch'],
  'submit, cancel, fetch results, audit a task': ['submit', 'bind', 'put', 'sync', 'cancel', 'fetchResult', 'audit'],
  'operand blocks, by their hash': ['fetch'],
  'work on leases': ['register', 'ready', 'bye', 'heartbeat', 'probe', 'result', 'resultChunk', 'failed'],
  'tokens; approve, drain and revoke nodes': ['administer'],
};

/** Only says which version is spoken. */
const forAll: readonly MessageType[] = ['greet'];

const reaches: Readonly<Record<string, Reach | undefined>> = {
  yes: 'any',
  all: 'any',
  own: 'own',
  'own sessions': 'own',
};

function securityTable(): Map<string, Record<Role, string>> {
  const text = readFileSync(join(import.meta.dirname, '../../../SECURITY.md'), 'utf8');
  const [head, , ...lines] = (text.split('## Roles')[1] ?? '').split('\n').filter((line) => line.startsWith('|'));
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const columns = cells(head ?? '');
  return new Map(
    lines.map((line) => {
      const [what = '', ...rest] = cells(line);
      const byRole = Object.fromEntries(rest.map((cell, at) => [columns[at + 1], cell])) as Record<Role, string>;
      return [what, byRole];
    }),
  );
}

test('the table of SECURITY.md is the table of rights', () => {
  const table = securityTable();
  expect([...table.keys()]).toEqual(Object.keys(messagesOf));
  for (const [what, byRole] of table) {
    for (const type of messagesOf[what] ?? [])
      for (const role of roles) {
        expect([what, type, role, messageRights[type][role]]).toEqual([what, type, role, reaches[byRole[role]]]);
      }
  }
});

test('every message that somebody may send is in a row of it', () => {
  const sent = (Object.keys(messageRights) as MessageType[]).filter(
    (type) => Object.keys(messageRights[type]).length > 0,
  );
  expect(sent.toSorted()).toEqual([...Object.values(messagesOf).flat(), ...forAll].toSorted());
});
