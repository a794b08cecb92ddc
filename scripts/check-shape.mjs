// Part of `npm run lint`: the project's shape as numbers. Functions are those with a name: declarations, methods,
// constructors, accessors, and arrows or function expressions bound to a variable or a property.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from '@swc/core';
import { root } from './ensure-built.mjs';
import { workspaces } from './workspaces.mjs';

const LIMITS = { functionMedian: 10, functionP90: 30, fileLines: 400, anys: 0 };
const NAMED = new Set([
  'FunctionDeclaration',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
  'GetterProperty',
  'SetterProperty',
]);
const BINDERS = {
  VariableDeclarator: 'init',
  ClassProperty: 'value',
  PrivateProperty: 'value',
  KeyValueProperty: 'value',
};
/** Their private ones begin with #; a constructor cannot. */
const MEMBERS = new Set(['ClassMethod', 'ClassProperty']);
const UNNAMED = new Set(['ArrowFunctionExpression', 'FunctionExpression']);

const files = workspaces.flatMap((folder) => sourcesIn(join(folder, 'src'))).map(measureFile);
process.exitCode = report(files);

function sourcesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));
}

function measureFile(path) {
  const text = readFileSync(path, 'utf8');
  const { functions, anys, privates } = measureText(text, path.endsWith('x'));
  return { name: relative(root, path), lines: text.split('\n').length - 1, functions, anys, privates };
}

/** swc counts bytes from the first file it ever parsed; the leading `0;` gives this file's origin a node to read it from. */
function measureText(text, tsx) {
  const bytes = Buffer.from(`0;${text}`);
  const tree = parseSync(bytes.toString(), { syntax: 'typescript', tsx, target: 'es2023' });
  const origin = tree.body[0].span.start;
  const found = { functions: [], anys: 0, privates: 0 };
  visit(tree, (node) => {
    if (node.type === 'TsKeywordType' && node.kind === 'any') found.anys += 1;
    if (MEMBERS.has(node.type) && node.accessibility === 'private') found.privates += 1;
    const span = namedFunctionSpan(node);
    if (span) found.functions.push(linesIn(bytes.subarray(span.start - origin, span.end - origin)));
  });
  return found;
}

/** The lines of a named function with a body; overloads and abstract methods have none. */
function namedFunctionSpan(node) {
  if (NAMED.has(node.type)) return (node.body ?? node.function?.body) ? (node.span ?? node.function.span) : undefined;
  const value = node[BINDERS[node.type]];
  return UNNAMED.has(value?.type) ? value.span : undefined;
}

function visit(node, see) {
  if (node === null || typeof node !== 'object') return;
  if (typeof node.type === 'string') see(node);
  for (const child of Object.values(node)) visit(child, see);
}

function linesIn(bytes) {
  return bytes.reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 1);
}

/** Nearest-rank percentile of ascending numbers; 0 for none. */
function percentile(ascending, share) {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? 0;
}

function report(measured) {
  const lengths = measured.flatMap((file) => file.functions).toSorted((a, b) => a - b);
  const largest = measured.reduce((a, b) => (b.lines > a.lines ? b : a));
  const anys = measured.reduce((sum, file) => sum + file.anys, 0);
  const [median, p90] = [percentile(lengths, 0.5), percentile(lengths, 0.9)];

  console.log(`${measured.length} source files, the largest ${largest.lines} lines (${largest.name})`);
  console.log(
    `${lengths.length} functions: median ${median}, p90 ${p90}, longest ${percentile(lengths, 1)} lines; any: ${anys}`,
  );

  const broken = [
    ...(median > LIMITS.functionMedian ? [`median function length is over ${LIMITS.functionMedian} lines`] : []),
    ...(p90 > LIMITS.functionP90 ? [`90th percentile of function length is over ${LIMITS.functionP90} lines`] : []),
    ...measured.filter((file) => file.lines > LIMITS.fileLines).map((file) => `${file.name} has ${file.lines} lines`),
    ...measured.filter((file) => file.anys > LIMITS.anys).map((file) => `${file.name} has ${file.anys} any`),
    ...measured
      .filter((file) => file.privates > 0)
      .map((file) => `${file.name} has members that are private without #`),
  ];
  for (const line of broken) console.error(`shape: ${line}`);
  return broken.length === 0 ? 0 : 1;
}
