/**
 * The port between the tile kernel and what multiplies: ONNX Runtime or TensorFlow. A backend is used only if it passes
 * `verified-multiplier.ts`.
 */
import type { Elements, OperandDtype } from '@muster/shared';
import type { DeviceKind } from '../compute-protocol.ts';

/** A whole operand of one multiplication: packed, row-major. */
export interface Panel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rows: number;
  readonly columns: number;
}

/** A right operand that the device keeps: packed for its kernels or in its own memory. */
export interface ResidentPanel {
  /** As `Multiplier.multiply`, with this panel as B. */
  multiply(a: Panel): Promise<Elements>;
  release(): void;
}

export interface Multiplier {
  readonly dtype: OperandDtype;
  /** From this use of the same right operand on, keeping it resident pays off. */
  readonly keepAtUse: number;
  /** Converts the bytes of a block, just read from its file, in place into the form that `multiply` expects. Called once per buffer. */
  adopt(side: 'a' | 'b', bytes: Uint8Array<ArrayBuffer>): void;
  /** C = A * B: a.rows x b.columns elements of the product's type, row-major, in memory that belongs to the caller. */
  multiply(a: Panel, b: Panel): Promise<Elements>;
  /** Copies what it needs: the bytes of `b` may be overwritten once this resolves. */
  keep(b: Panel): Promise<ResidentPanel>;
}

export interface Backend {
  readonly kind: DeviceKind;
  readonly dtypes: readonly OperandDtype[];
  /** Ways to multiply this type, best first; the first that passes the self-test is used. */
  multipliers(dtype: OperandDtype): readonly (() => Promise<Multiplier>)[];
  /** Self-test beyond products, for defects that a product does not show. Rejects with what is wrong. */
  check(): Promise<void>;
}
