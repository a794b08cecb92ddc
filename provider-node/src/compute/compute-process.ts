import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@muster/shared';
import { startFramedProcess, type FramedProcess } from '@muster/shared/io';
import type { ComputeCalls, Done, Job, Opened, OpenRequest } from './compute-protocol.ts';

/** Beside this module, in the sources as in the build. */
const ENTRY = fileURLToPath(new URL(`./compute-main${extname(import.meta.url)}`, import.meta.url));

/**
 * Without the first, CUDA rounds the operands of float32 products to ten bits of mantissa. Without the second, ONNX Runtime sends
 * telemetry over HTTPS and leaves `.ses` and `mat-debug-*.log` in the folder for temporary files. The last two keep freed memory in the
 * process (glibc): every tile's result is a few fresh megabytes, whose page faults cost 7.7 ms of system time in a 1000 x 1000 product,
 * 3.5 ms with these settings.
 */
const ENVIRONMENT = {
  NVIDIA_TF32_OVERRIDE: '0',
  ORT_DISABLE_TELEMETRY: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 32),
};

/** One compute process. Calls are answered in order; when it dies, all pending calls reject with COMPUTE_FAILED. */
export class ComputeProcess {
  readonly #process: FramedProcess<ComputeCalls>;
  readonly #begunMs = performance.now();
  #startMs = 0;

  constructor(logger: Logger, script: string = ENTRY) {
    this.#process = startFramedProcess<ComputeCalls>({
      script,
      title: 'compute',
      env: ENVIRONMENT,
      onStderr: (text) => logger.debug({ pid: this.pid, text }, 'compute process says'),
    });
  }

  /** Resolves when the process is gone, with the reason. */
  get exited(): Promise<string> {
    return this.#process.ended;
  }

  /** Milliseconds from creation to the answer of `open`; 0 before that. */
  get startMs(): number {
    return this.#startMs;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  /**
   * Rejects with DEVICE_UNAVAILABLE when the device is refused; with COMPUTE_FAILED when the process dies, or is killed after `limitMs`
   * without an answer.
   */
  async open(request: OpenRequest, limitMs: number): Promise<Opened> {
    const timer = setTimeout(() => this.kill(`did not answer in ${Math.round(limitMs / 1000)} s`), limitMs);
    try {
      const opened = await this.#process.call('open', request);
      this.#startMs = performance.now() - this.#begunMs;
      return opened;
    } finally {
      clearTimeout(timer);
    }
  }

  run(job: Job): Promise<Done> {
    return this.#process.call('run', job);
  }

  /** Ends it within milliseconds, even inside a native call. */
  kill(because: string): void {
    this.#process.kill(because);
  }

  /** Lets pending jobs finish for up to `limitMs`, then kills it. */
  stop(limitMs: number): Promise<void> {
    return this.#process.stop(limitMs);
  }
}
