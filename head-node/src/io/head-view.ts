import type { BackboneReport, NodeStatus, TaskBrief } from '@muster/shared';

/** What the HTTP side may know of the head. */
export interface HeadView {
  /** Is there room for another task? */
  ready(): boolean;
  nodes(): readonly NodeStatus[];
  tasks(): readonly TaskBrief[];
  backbone(): BackboneReport;
  /** Totals since the start, by name; the names never change. */
  counters(): Readonly<Record<string, number>>;
}
