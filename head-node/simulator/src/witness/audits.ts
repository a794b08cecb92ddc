/** At the end of a run an audit must find nothing wrong, whatever happened. */
import type { AuditReport, ProviderId } from '@muster/shared';
import { audit, streamedHistoryOf, type Evidence, type TaskHistory } from '@muster/head-node/core';
import type { Broker } from '../broker/broker.ts';
import type { HeadFiles } from '../head/head-files.ts';
import type { HeadLife } from '../head/head-life.ts';
import type { HeadMachine } from '../head/head-machine.ts';
import { must } from './violation.ts';

export interface Audited {
  readonly head: HeadMachine;
  readonly broker: Broker | null;
}

export function auditAll({ head: { disk, life }, broker }: Audited): void {
  for (const history of disk.replay()) {
    const known = life?.state.tasks.get(history.record.task);
    if (life === null || known === undefined) continue;
    const { taskId, problems } = whole(audit(evidenceOf(history, life, broker)));
    must(problems.length === 0, `the audit of task ${taskId} finds nothing wrong (${problems[0]})`);
  }
}

/** As gathered by head-node/src/io/task-audits.ts. */
function evidenceOf(history: TaskHistory, { state, epoch, files }: HeadLife, broker: Broker | null): Evidence {
  const { task, durability } = history.record;
  const ended = history.ended?.status.state;
  return {
    state: state.tasks.get(task)?.state ?? 'failed',
    epoch,
    journal: history,
    broker:
      broker === null || durability === 'local'
        ? { unread: 'there is none' }
        : streamedHistoryOf(broker.events.filter(({ record }) => record.task === task)),
    files: ended === 'done' ? filesOf(history, files) : new Map(),
    nameOf: (node: ProviderId) => node,
    regionOf: () => [],
  };
}

const filesOf = ({ record: { task }, subtasks }: TaskHistory, files: HeadFiles): Evidence['files'] =>
  new Map(subtasks.map(({ index }) => [index, files.result(task, index) ?? null]));

function whole(steps: Generator<undefined, AuditReport>): AuditReport {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}
