import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { fromWireError, MusterError, type Logger } from '@muster/shared';
import {
  encodeFrame,
  readFrames,
  type Opened,
  type OpenRequest,
  type Reply,
  type Request,
  type TileDone,
  type TileJob,
} from './compute-protocol.ts';

/** Beside this module, in the sources as in the build. */
const ENTRY = fileURLToPath(new URL(`./compute-main${extname(import.meta.url)}`, import.meta.url));

/**
 * Without the first, CUDA rounds the operands of float32 products to ten bits of mantissa. Without the second, ONNX Runtime
 * reports to its maker over HTTPS and leaves `.ses` and `mat-debug-*.log` in the folder for temporary files.
 */
const ENVIRONMENT = { NVIDIA_TF32_OVERRIDE: '0', ORT_DISABLE_TELEMETRY: '1' };

const NOISE_MAX = 2000;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: MusterError) => void;
}

/** One life of a compute process. It answers in order; when it dies, everything that waits is rejected with COMPUTE_FAILED. */
export class ComputeProcess {
  /** Resolves when the process is gone, with the reason. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: Waiting[] = [];
  #killedBecause = '';
  #noise = '';
  #gone = '';

  constructor(logger: Logger, entry: string = ENTRY) {
    this.#child = spawn(process.execPath, [entry], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...ENVIRONMENT },
      windowsHide: true,
    });
    this.exited = this.#watch();
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#noise = (this.#noise + text).slice(-NOISE_MAX);
      logger.debug({ pid: this.pid, text: text.trimEnd() }, 'compute process says');
    });
    void this.#readReplies();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#gone === '';
  }

  /** Rejects with a plain reason: refused, died, or silent for `limitMs` (then it is killed). */
  async open(request: OpenRequest, limitMs: number): Promise<Opened> {
    const timer = setTimeout(() => this.kill(`did not answer in ${Math.round(limitMs / 1000)} s`), limitMs);
    try {
      const reply = await this.#ask(request);
      if (reply.type === 'opened') return reply;
      throw unavailable(reply.type === 'refused' ? reply.reason : `answered '${reply.type}'`);
    } finally {
      clearTimeout(timer);
    }
  }

  async multiply(job: TileJob): Promise<TileDone> {
    const reply = await this.#ask({ type: 'multiply', job });
    if (reply.type === 'done') return reply.done;
    if (reply.type === 'failed') throw fromWireError(reply.error);
    throw new MusterError('BUG', `a compute process answered '${reply.type}' to a tile`);
  }

  /** Within milliseconds, whatever it is doing. */
  kill(because: string): void {
    this.#killedBecause ||= because;
    this.#child.kill('SIGKILL');
  }

  /** Lets it end its current tile if that takes less than `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill('stopped'), limitMs);
    this.#killedBecause ||= 'stopped';
    this.#child.stdin.end(encodeFrame({ type: 'stop' }));
    await this.exited;
    clearTimeout(timer);
  }

  async #ask(request: Request): Promise<Reply> {
    if (!this.alive) throw died(this.#gone);
    const reply = new Promise<Reply>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#child.stdin.write(encodeFrame(request));
    return reply;
  }

  async #readReplies(): Promise<void> {
    try {
      for await (const reply of readFrames<Reply>(this.#child.stdout)) this.#waiting.shift()?.resolve(reply);
    } catch (error) {
      this.kill(`its output cannot be read: ${String(error)}`);
    }
  }

  async #watch(): Promise<string> {
    // 'close' comes after the last byte of stdout, so that no finished tile is taken for a failed one.
    const how = await once(this.#child, 'close').then(describeExit, String);
    const last = this.#noise.trim().split('\n').at(-1) ?? '';
    this.#gone = this.#killedBecause || (last === '' ? how : `${how}: ${last.slice(0, 200)}`);
    for (const { reject } of this.#waiting.splice(0)) reject(died(this.#gone));
    return this.#gone;
  }
}

const died = (why: string): MusterError => new MusterError('COMPUTE_FAILED', 'the compute process is gone', { why });

const unavailable = (why: string): MusterError =>
  new MusterError('DEVICE_UNAVAILABLE', 'the device cannot be used', { why });

const describeExit = ([code, signal]: (number | string | null)[]): string =>
  signal === null ? `ended with ${code}` : `killed by ${signal}`;
