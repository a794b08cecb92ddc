import type { TaskStatus } from '@muster/shared';
import type { ClusterClient, TaskRequest } from '../../cluster-client.ts';
import type { TaskHandle } from '../../task-handle.ts';
import type { Terminal } from '../terminal.ts';

/** What a job needs to start its task. */
export interface JobStart {
  readonly client: ClusterClient;
  readonly request: TaskRequest & { readonly nodes: number };
  readonly terminal: Terminal;
}

/** Files that a task wrote, by kind. */
export interface Written {
  readonly out?: string | undefined;
  readonly onnx?: string | undefined;
}

/** A task as requested on the command line, with its files open, so that mistakes in them are found before anything is submitted. */
export interface Job {
  start(start: JobStart): Promise<TaskHandle>;
  /** Writes what is still to be written, after the task is done. */
  finish(client: ClusterClient, status: TaskStatus): Promise<Written>;
  /** Called in any case, also after an error. */
  close(): void;
}
