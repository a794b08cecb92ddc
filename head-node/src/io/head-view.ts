import type { BackboneReport, NodeStatus, TaskBrief } from '@muster/shared';

/** What the HTTP side may know of the head. */
export interface HeadView {
  /** Are tasks accepted? */
  ready(): boolean;
  nodes(): readonly NodeStatus[];
  tasks(): readonly TaskBrief[];
  backbone(): BackboneReport;
  /** Totals since the start, by name; the names never change. */
  counters(): Readonly<Record<string, number>>;
}
