import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const CORE = 'head-node/src/core';

/** File in a planted tree, its text, and the rule that must refuse it. */
const VIOLATIONS: [path: string, text: string, rule: string][] = [
  [`${CORE}/socket.ts`, `import { Push } from 'zeromq';\nexport const push = Push;`, 'no-restricted-imports'],
  [`${CORE}/broker.ts`, `import { connect } from 'amqplib';\nexport const c = connect;`, 'no-restricted-imports'],
  [`${CORE}/disk.ts`, `import { open } from 'lmdb';\nexport const o = open;`, 'no-restricted-imports'],
  [`${CORE}/builtin.ts`, `import { hostname } from 'node:os';\nexport const h = hostname;`, 'no-restricted-imports'],
  [`${CORE}/outward.ts`, `export { x } from '../io/journal.ts';`, 'no-restricted-imports'],
  [`${CORE}/timer.ts`, `export const t = setTimeout(Boolean, 1);`, 'no-restricted-globals'],
  [`${CORE}/clock.ts`, `export const now = Date.now();`, 'no-restricted-properties'],
  [`${CORE}/date.ts`, `export const today = new Date();`, 'no-restricted-globals'],
  [`${CORE}/dice.ts`, `export const dice = Math.random();`, 'no-restricted-properties'],
  [`${CORE}/deep/wait.ts`, `export async function wait(): Promise<void> {}`, 'no-async-await'],
  ['shared/src/tasks/sum/plan.ts', `export const p = process.pid;`, 'no-restricted-globals'],
  ['shared/src/tasks/sum/merge.ts', `export const m = fetch('x');`, 'no-restricted-globals'],
  ['shared/src/tensor/file.ts', `import { open } from 'node:fs';\nexport const o = open;`, 'no-restricted-imports'],
  ['shared/src/tensor/wire.ts', `export { x } from '../io/socket.ts';`, 'no-restricted-imports'],
  ['head-node/src/io/outward.ts', `export type { Driver } from '../driver.ts';`, 'no-restricted-imports'],
  ['head-node/src/trust/outward.ts', `export { x } from '../io/journal.ts';`, 'no-restricted-imports'],
  ['head-node/src/trust/driver.ts', `export type { Driver } from '../driver.ts';`, 'no-restricted-imports'],
  ['provider-node/src/compute/deep/main.ts', `export { x } from '../../main.ts';`, 'no-restricted-imports'],
  ['head-node/src/loose.ts', `export function go(p: Promise<void>): void {\n  p;\n}`, 'no-floating-promises'],
  [
    'head-node/src/partial.ts',
    `export function one(a: 'x' | 'y'): number {\n  switch (a) {\n    case 'x':\n      return 1;\n  }\n  return 2;\n}`,
    'switch-exhaustiveness-check',
  ],
  ['head-node/src/ring-a.ts', `import { b } from './ring-b.ts';\nexport const a = () => b;`, 'no-cycle'],
];
const CLEAN: [path: string, text: string][] = [
  [
    `${CORE}/pure.ts`,
    `import type { Id } from '../ids.ts';\nexport const later = (at: number, id: Id): [number, Id] => [at + 1, id];`,
  ],
  [
    'head-node/src/io/journal.ts',
    `import { open } from 'lmdb';\nexport const x = [open, Date.now(), setTimeout(Boolean, 1)];`,
  ],
  ['head-node/src/ring-b.ts', `export { a as b } from './ring-a.ts';`],
  ['shared/src/io/socket.ts', `import { Push } from 'zeromq';\nexport const x = Push;`],
  ['head-node/src/ids.ts', `export type Id = string;`],
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

let tree: string;
let rulesByFile: Map<string, string>;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'muster-walls-'));
  cpSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
  for (const [path, text] of [...VIOLATIONS, ...CLEAN]) plant(path, text);
  rulesByFile = lint();
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), `${text}\n`);
}

/** Broken rules of each file, space-separated. */
function lint(): Map<string, string> {
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
  // Where oxlint looks for its type-aware part when npm has not set the path.
  const env = { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter) };
  const { stdout } = spawnSync(process.execPath, [oxlint, '--format', 'json'], { cwd: tree, encoding: 'utf8', env });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
  const rules = new Map<string, string>();
  for (const { filename, code } of diagnostics) {
    const path = filename.replaceAll('\\', '/');
    rules.set(path, `${rules.get(path) ?? ''} ${code}`.trim());
  }
  return rules;
}

describe('the repository lint rules', () => {
  test.each(VIOLATIONS)('refuse %s', (path, _text, rule) => {
    expect(rulesByFile.get(path)).toContain(rule);
  });

  test.each(CLEAN.filter(([path]) => !path.includes('ring')))('accept %s', (path) => {
    expect(rulesByFile.get(path)).toBeUndefined();
  });
});
