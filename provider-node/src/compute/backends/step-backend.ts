/** The port between the training kernel and whatever computes training steps. */
import type { GraphRunner, Model, ShardWork } from '@muster/shared';
import type { DeviceKind } from '../compute-protocol.ts';

/** The step or the evaluation of one model, on a device. */
export interface OpenGraph extends GraphRunner {
  release(): void;
}

export interface StepTerms {
  /** Must the bits be those of any other machine with such a device? */
  readonly deterministic: boolean;
}

export interface StepBackend {
  readonly kind: DeviceKind;
  /** Rejects with the reason when the device cannot. */
  open(model: Model, kind: ShardWork['kind'], terms: StepTerms): Promise<OpenGraph>;
}
