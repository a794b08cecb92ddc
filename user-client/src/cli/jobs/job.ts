import type { TaskStatus } from '@muster/shared';
import type { ClusterClient, TaskRequest } from '../../cluster-client.ts';
import type { TaskHandle } from '../../task-handle.ts';
import type { Terminal } from '../terminal.ts';

/** What a task is started with. */
export interface JobStart {
  readonly client: ClusterClient;
  readonly request: TaskRequest & { readonly nodes: number };
  readonly terminal: Terminal;
}

/** Files that a task left, by what they are. */
export interface Written {
  readonly out?: string | undefined;
  readonly onnx?: string | undefined;
}

/** A task as a command line asks for it, with its files open: a mistake in them leaves nothing on the head. */
export interface Job {
  start(start: JobStart): Promise<TaskHandle>;
  /** The task is done: what is still to be written. */
  finish(client: ClusterClient, status: TaskStatus): Promise<Written>;
  /** Whatever came of it. */
  close(): void;
}
