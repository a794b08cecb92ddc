import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './ensure-built.mjs';
import { workspaces } from './workspaces.mjs';

const outputs = [...workspaces.map((folder) => join(folder, 'dist')), join(root, 'coverage')];
for (const folder of outputs) rmSync(folder, { recursive: true, force: true });
