/** Events about the broker. */
import type { HeadEvent } from './events.ts';
import { endIfComplete } from './tasks.ts';
import type { Turn } from './turn.ts';

export function onMirrored(turn: Turn, { task: id, lost }: HeadEvent & { type: 'mirrored' }): void {
  const task = turn.state.tasks.get(id);
  if (task?.mirror !== 'awaited') return;
  task.mirror = lost === 0 ? 'complete' : 'incomplete';
  endIfComplete(turn, task);
}

/** Ends the tasks that were only waiting for the broker if it has gone: they do not wait for its return. */
export function onBackbone(turn: Turn, { state, congested }: HeadEvent & { type: 'backbone' }): void {
  turn.state.backbone = { state, congested };
  endAwaited(turn);
}

export function onRecovered(turn: Turn): void {
  turn.state.recovered = true;
  endAwaited(turn);
}

function endAwaited(turn: Turn): void {
  for (const task of turn.state.running) if (task.mirror === 'awaited') endIfComplete(turn, task);
}
