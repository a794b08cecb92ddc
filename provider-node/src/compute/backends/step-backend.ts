/** The port between the training kernel and the runtimes that compute training steps. */
import type { GraphRunner, Model, ShardWork } from '@muster/shared';
import type { DeviceKind } from '../compute-protocol.ts';

/** An open training step or evaluation of one model on a device. */
export interface OpenGraph extends GraphRunner {
  release(): void;
}

export interface StepTerms {
  /** Whether results must be bit-identical on every machine with such a device. */
  readonly deterministic: boolean;
}

export interface StepBackend {
  readonly kind: DeviceKind;
  /** Rejects with the reason when the device cannot run the graph. */
  open(model: Model, kind: ShardWork['kind'], terms: StepTerms): Promise<OpenGraph>;
}
