import type { Durability, TaskId } from '@muster/shared';
import { randomBytes } from 'node:crypto';
import type { Push } from './link/requests.ts';
import type { SourceBlock } from './operands/block-source.ts';
import { OperandUpload } from './operands/operand-upload.ts';
import type { TaskResult } from './results/task-result.ts';
import { TaskHandle } from './task-handle.ts';
import type { Transport } from './transport.ts';

export interface Submission {
  readonly type: string;
  readonly spec: unknown;
  readonly nodes: number;
  readonly waitNodesMs: number;
  readonly durability: Durability;
  readonly timeoutMs: number;
  /** Blocks of the operands, in the order of sending. */
  readonly blocks: readonly SourceBlock[];
  readonly result: TaskResult | null;
  readonly signal: AbortSignal | null;
}

export interface Following {
  readonly taskId: TaskId;
  readonly result: TaskResult | null;
  readonly timeoutMs: number | null;
  readonly signal: AbortSignal | null;
}

interface Followed {
  readonly handle: TaskHandle;
  upload: OperandUpload | null;
}

/** The tasks that this client follows: the head's pushes go to their handles, which are resumed when the head returns. */
export class TaskBoard {
  readonly #transport: Transport;
  readonly #followed = new Map<string, Followed>();
  #scopes = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Resolves when the task is durable on the head. The operands are packed in the meantime. */
  async submit({
    type,
    spec,
    nodes,
    waitNodesMs,
    timeoutMs,
    durability,
    blocks,
    result,
    signal,
  }: Submission): Promise<TaskHandle> {
    signal?.throwIfAborted();
    const task = randomBytes(8).toString('hex') as TaskId;
    const { handle, scope } = this.#open({ taskId: task, result, timeoutMs, signal });
    const submission = { task, taskType: type, spec, nodes, waitNodesMs, timeoutMs, durability };
    const accepted = this.#transport.link.ask('submit', submission, { scope });
    if (blocks.length > 0) this.#upload(scope, new OperandUpload(this.#transport, { task, scope, blocks, accepted }));
    try {
      await accepted;
    } catch (error) {
      handle.fail(error);
      // The handle may have failed before, with a more telling reason: its deadline, or an operand that cannot be read.
      await handle.wait();
    }
    handle.watch();
    return handle;
  }

  /** Follows a task that is already on the head. */
  follow(following: Following): TaskHandle {
    const { handle } = this.#open(following);
    handle.watch();
    return handle;
  }

  pushed(push: Push): void {
    for (const { handle } of this.#followed.values()) if (handle.taskId === push.task) handle.pushed(push);
  }

  /** The head has forgotten this client's watches, and after a restart perhaps also the latest blocks. */
  returned({ restarted }: { readonly restarted: boolean }): void {
    for (const { handle, upload } of this.#followed.values()) {
      handle.watchAgain();
      if (restarted && upload !== null) handle.follow(upload.run());
    }
  }

  failAll(error: unknown): void {
    for (const { handle } of this.#followed.values()) handle.fail(error);
  }

  #open(following: Following): { handle: TaskHandle; scope: string } {
    this.#scopes += 1;
    const scope = `${following.taskId}/${this.#scopes}`;
    const released = (): void => void this.#followed.delete(scope);
    const handle = new TaskHandle({ ...following, scope, transport: this.#transport, released });
    this.#followed.set(scope, { handle, upload: null });
    return { handle, scope };
  }

  #upload(scope: string, upload: OperandUpload): void {
    const followed = this.#followed.get(scope);
    if (followed === undefined) return;
    followed.upload = upload;
    followed.handle.follow(upload.run());
  }
}
