import { createRequire } from 'node:module';
import type * as TensorFlow from '@tensorflow/tfjs';

export const TFJS_PACKAGE = '@tensorflow/tfjs-node-gpu';
const TFJS_VERSION = '4.22.0';
/** First version of Node without functions that the package calls (tensorflow/tfjs#8609). */
const NODE_TOO_NEW = 23;

export type Tfjs = typeof TensorFlow;

export interface TfjsSource {
  /** Returns the module, or throws what `require` throws. */
  readonly load: () => unknown;
  readonly nodeVersion: string;
}

const require = createRequire(import.meta.url);
const installed: TfjsSource = { load: () => require(TFJS_PACKAGE), nodeVersion: process.versions.node };

/** Whether the optional package is installed, even if it does not load. */
export function isTfjsInstalled(): boolean {
  try {
    require.resolve(TFJS_PACKAGE);
    return true;
  } catch {
    return false;
  }
}

/** Takes seconds and some 100 MB, so call it only in the process that needs it. Throws with the reason and the fix in one line. */
export function loadTfjs({ load, nodeVersion }: TfjsSource = installed): Tfjs {
  if (Number.parseInt(nodeVersion, 10) >= NODE_TOO_NEW) {
    throw new Error(`${TFJS_PACKAGE} does not work with Node ${nodeVersion}: use Node 20 or 22`);
  }
  try {
    return load() as Tfjs;
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  if (line.includes('tfjs_binding')) {
    return `the native part of ${TFJS_PACKAGE} is missing or cannot be loaded: npm rebuild ${TFJS_PACKAGE} --build-addon-from-source`;
  }
  const missing = /Cannot find (?:module|package) '([^']+)'/.exec(line)?.[1];
  if (missing === TFJS_PACKAGE) return `it is not installed: npm install ${TFJS_PACKAGE}@${TFJS_VERSION}`;
  if (missing !== undefined)
    return `${TFJS_PACKAGE} is installed without ${missing}: npm install ${TFJS_PACKAGE}@${TFJS_VERSION} again`;
  return `${TFJS_PACKAGE} does not load: ${line}`;
}

/** Without CUDA libraries TensorFlow computes on the CPU and reports no error. */
export function usesGpu(tf: Tfjs): boolean {
  const backend = tf.backend() as { readonly isUsingGpuDevice?: boolean };
  return backend.isUsingGpuDevice === true;
}
