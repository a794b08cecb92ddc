// argv: directory, number of tasks. Appends, waits until it is on disk, says so, and waits to be killed.
import { Journal } from '../../../dist/io/journal.js';

const [, , directory, count] = process.argv;
const journal = await Journal.open({ directory });
for (let task = 0; task < Number(count); task++) {
  const id = task.toString(16).padStart(16, '0');
  journal.append([
    {
      type: 'task',
      task: id,
      name: 'echo',
      spec: { count: 10 },
      nodes: 1,
      waitNodesMs: 0,
      timeoutMs: 0,
      acceptedWallMs: 0,
    },
    { type: 'subtasks', task: id, ranges: [0, task], provider: '00000000000000aa', computeMs: 0, fetchMs: 0 },
  ]);
}
await journal.durable();
process.stdout.write(`durable ${journal.epoch}\n`);
setInterval(() => undefined, 1000);
