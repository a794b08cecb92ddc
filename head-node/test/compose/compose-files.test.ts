/** What the files of the container image and the cluster say twice is the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, ...groups]) => groups.join('=')).toSorted();

test('.env.example names every setting of docker-compose.yml, with its default', () => {
  const settings = matches(textOf('docker-compose.yml'), /\$\{(\w+):-([^}]*)\}/g);
  const examples = matches(textOf('.env.example'), /^(\w+)=(.*)$/gm);
  expect(settings.length).toBeGreaterThan(0);
  expect(examples).toEqual(settings);
});

test('the image is built from the manifests of all workspaces', () => {
  const { workspaces } = JSON.parse(textOf('package.json')) as { readonly workspaces: string[] };
  const copied = matches(textOf('Dockerfile'), /^COPY (\S+)\/package\.json /gm);
  expect(copied).toEqual(workspaces.toSorted());
});

test('without a setting of .env no port is open to other machines', () => {
  const ports = matches(textOf('docker-compose.yml'), /^ +- '([^']+:[\d-]+)'$/gm);
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.filter((port) => !/^\$\{\w+:-127\.0\.0\.1:/.test(port))).toEqual([]);
});
