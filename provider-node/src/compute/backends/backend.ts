/**
 * The port between the tile kernel and whatever multiplies: an execution provider of onnxruntime today. Everything that
 * passes `verified-multiplier.ts` may stand behind it.
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
  /** As Multiplier.multiply. */
  multiply(a: Panel): Promise<Elements>;
  release(): void;
}

export interface Multiplier {
  readonly dtype: OperandDtype;
  /** From this use of the same right operand on, `keep` costs less than it saves. */
  readonly keepAtUse: number;
  /** Brings the bytes of a block, fresh from its file, into the form that `multiply` wants; in place, once. */
  adopt(side: 'a' | 'b', bytes: Uint8Array<ArrayBuffer>): void;
  /** C = A * B: a.rows x b.columns elements of the product's type, row-major, in memory that belongs to the caller. */
  multiply(a: Panel, b: Panel): Promise<Elements>;
  /** Copies what it needs: the bytes of `b` may be overwritten once it is done. */
  keep(b: Panel): Promise<ResidentPanel>;
}

export interface Backend {
  readonly kind: DeviceKind;
  readonly dtypes: readonly OperandDtype[];
  /** The ways to multiply this type, best first. The first that gives right answers is used. */
  multipliers(dtype: OperandDtype): readonly (() => Promise<Multiplier>)[];
  /** Known answers beyond products, for defects that a product does not show. Throws with what was wrong. */
  check(): Promise<void>;
}
