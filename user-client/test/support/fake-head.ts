/**
 * A head in the test's own process: a ROUTER that speaks the client protocol over blocks in memory (or in a real store) and
 * multiplies by itself. Tests bend it: they hold it, drop messages, answer otherwise, or start it again in another life.
 */
import {
  type BackboneReport,
  type BlockId,
  bytesOf,
  chunkRange,
  decode,
  elementCount,
  type Elements,
  elementsOf,
  encode,
  type Fields,
  type InferSpec,
  isTerminal,
  limits,
  type MatrixMultSpec,
  type Message,
  type MessageType,
  MusterError,
  newKeyPair,
  noBackbone,
  type NodeStatus,
  parseInferSpec,
  parseMatrixMultSpec,
  parseTrainSpec,
  productDtype,
  sampleBlocks,
  type StoreOffer,
  stripeRange,
  stripingOfA,
  stripingOfB,
  type TaskStatus,
  type TileNotice,
  toWireError,
  type TrainSpec,
  zeros,
} from '@muster/shared';
import { blockPath, leaveLocalCredential, SendQueue } from '@muster/shared/io';
import { naiveProduct, waitUntil } from '@muster/shared/testkit';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Router } from 'zeromq';
import { freshStatus } from './fresh-status.ts';
import { checkpointOf, trainingReport } from './training.ts';

export interface Task {
  readonly id: string;
  readonly type: string;
  readonly spec: unknown;
  readonly submission: Message<'submit'>;
  readonly bound: Map<string, BlockId>;
  status: TaskStatus;
  tiles: { notice: TileNotice; bytes: Uint8Array }[];
}

/** What outlives a restart. */
export class Memory {
  readonly tasks = new Map<string, Task>();
  readonly blocks = new Map<BlockId, Uint8Array>();
  nodes: NodeStatus[] = [];
  backbone: BackboneReport = noBackbone;
}

export interface FakeHeadOptions {
  readonly port?: number;
  readonly epoch?: number;
  readonly memory?: Memory;
  readonly store?: StoreOffer;
}

type Request = Extract<Message, { request: number }>;

const isRequest = (message: Message): message is Request => 'request' in message;

interface Reply<T extends MessageType = MessageType> {
  readonly type: T;
  readonly fields: Fields<T>;
  readonly payload?: Uint8Array;
}

const NO_STORE: StoreOffer = { directory: '', probe: '', nonce: '' };

export class FakeHead {
  readonly memory: Memory;
  readonly seen: Message[] = [];
  /** Bytes of partly received blocks; forgotten by a restart. */
  readonly #partial = new Map<BlockId, { bytes: Uint8Array; have: Set<number> }>();
  readonly #watchers = new Map<string, Set<string>>();
  readonly #socket: Router;
  readonly #queue: SendQueue;
  readonly #epoch: number;
  readonly store: StoreOffer;
  port = 0;
  /** Tasks are not worked on while this is true. */
  held = false;
  /** Messages for which this returns true are never answered. */
  dropped: (message: Message) => boolean = () => false;
  /** An answer for a message instead of the usual one. */
  instead: (message: Message) => Reply | null = () => null;
  /** The node that `tiles` name. */
  readonly node = 'aaaaaaaaaaaaaaaa';

  private constructor(options: FakeHeadOptions) {
    this.memory = options.memory ?? new Memory();
    this.#epoch = options.epoch ?? 1;
    this.store = options.store ?? NO_STORE;
    this.#socket = new Router({ linger: 0, heartbeatInterval: 500, heartbeatTimeout: 1500 });
    this.#queue = new SendQueue(this.#socket, () => undefined);
  }

  static async start(options: FakeHeadOptions = {}): Promise<FakeHead> {
    const head = new FakeHead(options);
    const bind = (): Promise<boolean> => head.#socket.bind(`tcp://127.0.0.1:${options.port ?? '*'}`).then(() => true);
    // A head that was closed keeps its port for a moment.
    await waitUntil(bind, { what: 'the port' });
    head.port = Number(head.#socket.lastEndpoint?.split(':').at(-1));
    leaveLocalCredential(head.endpoint.portBase, { headId: 'fake', headKey: null, keys: newKeyPair(), ipc: null });
    void head.#run();
    return head;
  }

  get endpoint(): { host: string; portBase: number } {
    return { host: '127.0.0.1', portBase: this.port - 4 };
  }

  count(type: MessageType): number {
    return this.seen.filter((message) => message.type === type).length;
  }

  close(): void {
    if (!this.#socket.closed) this.#socket.close();
  }

  /** Everybody who watches the task. */
  push(reply: Reply<'tiles' | 'progress' | 'ended'>): void {
    for (const client of this.#watchers.get(reply.fields.task) ?? []) this.#send(client, reply);
  }

  /** Works on what can be worked on, as it does by itself when not held. */
  release(): void {
    this.held = false;
    for (const task of this.memory.tasks.values()) this.#work(task);
  }

  end(id: string, change: Partial<TaskStatus>): void {
    const task = this.#task(id);
    task.status = { ...task.status, ...change };
    this.push({ type: 'ended', fields: { task: id as Fields<'ended'>['task'], status: task.status } });
  }

  async #run(): Promise<void> {
    try {
      for await (const [identity, ...frames] of this.#socket) this.#serve(identity!.toString('hex'), frames);
    } catch (error) {
      if (!this.#socket.closed) throw error;
    }
  }

  #serve(client: string, frames: readonly Buffer[]): void {
    const { message, payload } = decode(frames);
    if (!isRequest(message)) return;
    this.seen.push(message);
    if (this.dropped(message)) return;
    const other = this.instead(message);
    try {
      for (const reply of other === null ? this.#answer(client, message, payload) : [other]) this.#send(client, reply);
    } catch (error) {
      this.#send(client, { type: 'error', fields: { request: message.request, error: toWireError(error) } });
    }
  }

  #send(client: string, { type, fields, payload }: Reply): void {
    const frame = encode(type, fields);
    this.#queue.push(
      payload === undefined ? [Buffer.from(client, 'hex'), frame] : [Buffer.from(client, 'hex'), frame, payload],
    );
  }

  #answer(client: string, message: Request, payload: Uint8Array | null): Reply[] {
    const { request } = message;
    if (message.type === 'greet')
      return [{ type: 'greeting', fields: { request, epoch: this.#epoch, head: 'fake', store: this.store } }];
    if (message.type === 'submit') return this.#submit(message);
    if (message.type === 'bind') return [{ type: 'bound', fields: { request, wanted: this.#bind(message) } }];
    if (message.type === 'put')
      return [{ type: 'stored', fields: { request, complete: this.#put(message, payload!) } }];
    if (message.type === 'sync') return [{ type: 'synced', fields: { request, epoch: this.#epoch } }];
    if (message.type === 'watch') return this.#watch(client, message);
    if (message.type === 'fetchResult') return [this.#chunk(message)];
    if (message.type === 'cancel') this.end(message.task, { state: 'cancelled' });
    if (message.type === 'cancel') return [{ type: 'done', fields: { request } }];
    if (message.type === 'show')
      return [{ type: 'task', fields: { request, status: this.#task(message.task).status } }];
    if (message.type === 'listTasks')
      return [
        { type: 'tasks', fields: { request, tasks: [...this.memory.tasks.values()].map(({ status }) => status) } },
      ];
    if (message.type === 'listNodes')
      return [{ type: 'nodes', fields: { request, nodes: this.memory.nodes, backbone: this.memory.backbone } }];
    throw new MusterError('PROTOCOL', `a head is never sent '${message.type}'`);
  }

  #submit(message: Message<'submit'>): Reply[] {
    const { request, task: id, taskType: type, spec } = message;
    if (!this.memory.tasks.has(id)) {
      const status = freshStatus(id, type, spec);
      const task: Task = { id, type, spec, submission: message, bound: new Map(), status, tiles: [] };
      this.memory.tasks.set(id, task);
      if (type === 'echo') setImmediate(() => this.#work(task));
    }
    return [{ type: 'accepted', fields: { request, task: id } }];
  }

  #bind({ task: id, operand, block, id: blockId, bytes, path }: Message<'bind'>): boolean {
    const task = this.#task(id);
    task.bound.set(`${operand}${block}`, blockId);
    const file = path === '' ? '' : blockPath(this.store.directory, blockId);
    if (file !== '' && existsSync(file)) {
      if (file !== path) throw new Error(`bound at ${path}`);
      const content = readFileSync(file);
      if (content.length !== bytes) throw new Error(`${path} has ${content.length} bytes`);
      this.memory.blocks.set(blockId, new Uint8Array(content));
    }
    const wanted = !this.memory.blocks.has(blockId);
    if (!wanted) setImmediate(() => this.#work(task));
    return wanted;
  }

  #put({ block, offset, total }: Message<'put'>, payload: Uint8Array): boolean {
    if (this.memory.blocks.has(block)) return true;
    const partial = this.#partial.get(block) ?? { bytes: new Uint8Array(total), have: new Set() };
    this.#partial.set(block, partial);
    partial.bytes.set(payload, offset);
    partial.have.add(offset);
    if (partial.have.size * limits.chunkBytesMax.value < total) return false;
    this.memory.blocks.set(block, partial.bytes);
    setImmediate(() => [...this.memory.tasks.values()].forEach((task) => this.#work(task)));
    return true;
  }

  #watch(client: string, { request, task: id }: Message<'watch'>): Reply[] {
    const task = this.#task(id);
    this.#watchers.set(id, (this.#watchers.get(id) ?? new Set()).add(client));
    const fields = { task: id, status: task.status };
    const last: Reply = isTerminal(task.status.state) ? { type: 'ended', fields } : { type: 'progress', fields };
    const tiles = task.tiles.map(({ notice }) => notice);
    return [{ type: 'done', fields: { request } }, { type: 'tiles', fields: { task: id, tiles } }, last];
  }

  #chunk({ request, task: id, index, offset, length }: Message<'fetchResult'>): Reply {
    const tile = this.#task(id).tiles.find(({ notice }) => notice.index === index);
    if (tile === undefined) throw new MusterError('BLOCK_MISSING', 'no such tile');
    return {
      type: 'chunk',
      fields: { request, total: tile.bytes.length },
      payload: tile.bytes.slice(offset, offset + length),
    };
  }

  #task(id: string): Task {
    const task = this.memory.tasks.get(id);
    if (task === undefined)
      throw new MusterError('TASK_UNKNOWN', `there is no task ${id}`, { why: 'it is not here', fix: 'look elsewhere' });
    return task;
  }

  #work(task: Task): void {
    if (this.held || this.#socket.closed || isTerminal(task.status.state)) return;
    if (task.type === 'matrix_mult') this.#multiply(task, parseMatrixMultSpec(task.spec));
    else if (task.type === 'infer') this.#infer(task, parseInferSpec(task.spec));
    else if (task.type === 'train') this.#train(task, parseTrainSpec(task.spec));
    else this.end(task.id, { state: 'done', acceptedTiles: task.status.tiles });
  }

  #multiply(task: Task, spec: MatrixMultSpec): void {
    const a = this.#assemble(task, spec, 'a');
    const b = this.#assemble(task, spec, 'b');
    if (a === null || b === null) return;
    const { m, k, n } = spec;
    const whole = zeros(productDtype(spec.dtype), m * n);
    whole.set(naiveProduct({ a, b }, [m, k, n]));
    task.tiles = tilesOf(spec).map((region, index) => this.#tile(task, { spec, whole, region, index }));
    task.status = {
      ...task.status,
      tiles: task.tiles.length,
      acceptedTiles: task.tiles.length,
      verifiedTiles: task.tiles.length,
    };
    // Announced twice, as after a reconnect.
    for (let times = 0; times < 2; times++) {
      this.push({
        type: 'tiles',
        fields: { task: task.id as Fields<'tiles'>['task'], tiles: task.tiles.map(({ notice }) => notice) },
      });
    }
    this.end(task.id, { state: 'done' });
  }

  /** A model that gives what it takes; the blocks come back in the wrong order. */
  #infer(task: Task, spec: InferSpec): void {
    const blocks = Math.ceil(spec.rows / spec.rowsPerBlock);
    const rows = Array.from({ length: blocks }, (_, block) => this.#boundBytes(task, `x${block}`));
    if (rows.includes(null) || this.#boundBytes(task, 'model0') === null) return;
    const columns = elementCount(spec.output.shape);
    task.tiles = rows.map((bytes, index) => {
      const region = [index * spec.rowsPerBlock, Math.min(spec.rows, (index + 1) * spec.rowsPerBlock), 0, columns];
      const notice = { index, node: this.node as TileNotice['node'], bytes: bytes!.length, path: '', region };
      return { bytes: bytes!, notice };
    });
    task.status = { ...task.status, tiles: blocks, acceptedTiles: blocks };
    const notices = task.tiles.map(({ notice }) => notice).toReversed();
    this.push({ type: 'tiles', fields: { task: task.id as Fields<'tiles'>['task'], tiles: notices } });
    this.end(task.id, { state: 'done' });
  }

  /** Ends with the initial weights, or with the checkpoint that it was given. */
  #train(task: Task, spec: TrainSpec): void {
    const { layout, trainSamples, testSamples, checkpointBytes } = spec;
    const wanted = [
      ...Array.from({ length: sampleBlocks(layout, trainSamples) }, (_, block) => `train${block}`),
      ...Array.from({ length: sampleBlocks(layout, testSamples) }, (_, block) => `test${block}`),
      ...(checkpointBytes > 0 ? ['checkpoint0'] : []),
    ];
    if (wanted.some((block) => this.#boundBytes(task, block) === null)) return;
    const bytes = this.#boundBytes(task, 'checkpoint0') ?? checkpointOf(spec);
    const notice = { index: 0, node: this.node as TileNotice['node'], bytes: bytes.length, path: '', region: [] };
    task.tiles = [{ bytes, notice }];
    this.end(task.id, { state: 'done', training: trainingReport({ checkpointBytes: bytes.length }) });
  }

  #boundBytes(task: Task, block: string): Uint8Array | null {
    return this.memory.blocks.get(task.bound.get(block) as BlockId) ?? null;
  }

  /** The operand out of its blocks; null while some are missing. */
  #assemble(task: Task, spec: MatrixMultSpec, role: 'a' | 'b'): Elements | null {
    const striping = role === 'a' ? stripingOfA(spec) : stripingOfB(spec);
    const columns = role === 'a' ? spec.k : spec.n;
    const whole = zeros(spec.dtype, spec.k * striping.span);
    for (let number = 0; number < striping.stripes * striping.chunks; number++) {
      const bytes = this.memory.blocks.get(task.bound.get(`${role}${number}`) as BlockId);
      if (bytes === undefined) return null;
      const along = stripeRange(striping, Math.floor(number / striping.chunks));
      const deep = chunkRange(striping, number % striping.chunks);
      const [[top, bottom], [left, right]] = role === 'a' ? [along, deep] : [deep, along];
      const block = elementsOf(spec.dtype, bytes);
      for (let row = top; row < bottom; row++) {
        whole.set(block.subarray((row - top) * (right - left), (row - top + 1) * (right - left)), row * columns + left);
      }
    }
    return whole;
  }

  #tile(
    task: Task,
    { spec, whole, region, index }: { spec: MatrixMultSpec; whole: Elements; region: Region; index: number },
  ): Task['tiles'][number] {
    const [top, bottom, left, right] = region;
    const tile = zeros(productDtype(spec.dtype), (bottom - top) * (right - left));
    for (let row = top; row < bottom; row++)
      tile.set(whole.subarray(row * spec.n + left, row * spec.n + right), (row - top) * (right - left));
    const bytes = bytesOf(tile);
    const path = this.#storeTile(task, index, bytes);
    return {
      bytes,
      notice: { index, node: this.node as TileNotice['node'], bytes: bytes.length, path, region: [...region] },
    };
  }

  #storeTile(task: Task, index: number, bytes: Uint8Array): string {
    if (this.store.directory === '') return '';
    mkdirSync(join(this.store.directory, 'results', task.id), { recursive: true });
    const path = join(this.store.directory, 'results', task.id, String(index));
    writeFileSync(path, bytes);
    return path;
  }
}

type Region = readonly [number, number, number, number];

/** Stripes of rows by stripes of columns. */
function tilesOf(spec: MatrixMultSpec): Region[] {
  const [a, b] = [stripingOfA(spec), stripingOfB(spec)];
  const tiles: Region[] = [];
  for (let row = 0; row < a.stripes; row++) {
    for (let column = 0; column < b.stripes; column++) tiles.push([...stripeRange(a, row), ...stripeRange(b, column)]);
  }
  return tiles;
}
