import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './ensure-built.mjs';

/** Absolute folders of all workspace packages. */
export const workspaces = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces.map((folder) =>
  join(root, folder),
);
