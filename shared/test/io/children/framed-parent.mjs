/** Starts the framed child with one call that blocks it and one that waits behind, and says so; then it waits to be killed. */
import { join } from 'node:path';
import { startFramedProcess } from '../../../dist/io/index.js';

const [log] = process.argv.slice(2);
const script = join(import.meta.dirname, 'framed-child.mjs');
const child = startFramedProcess({ script, title: 'orphan', args: [log] });
await child.call('note', 'started');
child.call('blockUntilOrphaned', null).catch(() => undefined);
child.call('note', 'came after its parent').catch(() => undefined);
// Calls leave at the end of the turn.
setImmediate(() => process.stdout.write('ready\n'));
setInterval(() => undefined, 1000);
