/** A client that submits one task, sends its operands and waits, through every restart of the head. Mirrors user-client. */
import { blockIdOf, type TaskStatus } from '@muster/shared';
import type { Binding, Caller, ClientDesk } from './head/client-desk.ts';
import type { HeadMachine } from './head/head-machine.ts';
import { ask, type Line } from './network/ask.ts';
import { Link } from './network/link.ts';
import { SimProcess } from './sim-process.ts';
import type { TaskTraits } from './scenario.ts';
import type { World } from './world.ts';

const RETRY_MS = 500;
/** As in user-client, where the head is asked again after this long without progress; here it is asked in any case. */
const SILENCE_MS = 3000;

export class Client {
  readonly #world: World;
  readonly #task: TaskTraits;
  readonly #line: Line;
  /** Epoch of the head that has all blocks of the task. */
  #boundIn = 0;
  #accepted = false;
  status: TaskStatus | null = null;
  gone = false;

  constructor(world: World, task: TaskTraits, head: HeadMachine) {
    this.#world = world;
    this.#task = task;
    const link = new Link(world, { name: `client ${task.id}`, latencyMs: 1 });
    this.#line = { process: new SimProcess(world.timeline), link, head };
  }

  get hasEnded(): boolean {
    return this.gone || this.status !== null;
  }

  start(): void {
    const { submitAtMs, cancelAfterMs, vanishAfterMs } = this.#task;
    const { process } = this.#line;
    process.after(submitAtMs, () => this.#submit());
    if (cancelAfterMs !== null) process.after(submitAtMs + cancelAfterMs, () => this.#cancel());
    if (vanishAfterMs !== null) process.after(submitAtMs + vanishAfterMs, () => this.#vanish());
  }

  /** Repeated until the task is accepted. */
  #submit(): void {
    if (this.#accepted) return;
    const twice = this.#task.submitsTwice;
    if (twice) this.#world.faults.count('resubmit');
    for (let copy = 0; copy < (twice ? 2 : 1); copy += 1) this.#tell((desk) => desk.submit(this.#caller, this.#task));
    this.#line.process.after(RETRY_MS, () => this.#submit());
  }

  readonly #caller: Caller = {
    accepted: () => this.#hear(() => this.#onAccepted()),
    ended: (status) => this.#hear(() => this.#onEnded(status)),
    unknown: () => this.#hear(() => this.#onUnknown()),
  };

  #onAccepted(): void {
    if (this.#accepted) return;
    this.#accepted = true;
    this.#world.witness.toldAccepted(this.#task.id);
    this.#follow();
  }

  #onEnded(status: TaskStatus): void {
    if (this.status !== null) return;
    this.status = status;
    this.#world.chronicle.note('client', `is told that ${status.taskId} is ${status.state}`);
    this.#world.witness.toldEnded(status);
  }

  /** The client came too late: results are dropped after their time, or when the store is full. */
  #onUnknown(): void {
    if (this.hasEnded) return;
    this.#world.witness.toldUnknown(this.#task.id);
    this.gone = true;
  }

  /** Asks for everything from time to time, and binds the blocks again, which a restarted head may lack. */
  #follow(): void {
    if (this.hasEnded) return;
    this.#tell((desk) => desk.watch(this.#caller, this.#task.id));
    this.#bind();
    this.#line.process.after(SILENCE_MS, () => this.#follow());
  }

  #bind(): void {
    const epoch = this.#line.head.life?.epoch ?? 0;
    if (epoch === 0 || epoch === this.#boundIn) return;
    let open = 0;
    for (const binding of this.#bindings()) {
      open += 1;
      ask(this.#line, {
        channel: 'clients',
        put: ({ desk }) => desk.bind(this.#task.id, binding) || null,
        answered: (answer) => {
          if (answer !== null) open -= 1;
          if (open === 0) this.#boundIn = epoch;
        },
      });
    }
  }

  #bindings(): Binding[] {
    const { type, spec, id: task } = this.#task;
    return type.operands(spec).flatMap(({ name, blocks }) =>
      Array.from({ length: blocks }, (_, block) => ({
        operand: name,
        block,
        id: blockIdOf(Buffer.from(`${task} ${name} ${block}`)),
      })),
    );
  }

  #cancel(): void {
    this.#world.faults.count('cancel');
    this.#tell((desk) => desk.cancel(this.#task.id));
  }

  #vanish(): void {
    this.#world.faults.count('client-loss');
    this.gone = true;
    this.#line.process.kill();
  }

  #tell(say: (desk: ClientDesk) => void): void {
    const { link, head } = this.#line;
    link.send({ to: 'to-head', channel: 'clients' }, () => head.hear((life) => say(life.desk)));
  }

  #hear(run: () => void): void {
    const { link, process } = this.#line;
    link.send({ to: 'from-head', channel: 'clients' }, () => process.hear(run));
  }
}
