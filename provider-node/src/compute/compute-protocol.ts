/** What a provider asks of its compute processes. Bulk bytes never travel here: operands and results are files. */
import type { DeviceFacts, OperandDtype, TileWork } from '@muster/shared';

export type DeviceKind = 'cpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml';

export interface TileJob {
  readonly work: TileWork;
  /** Files of the blocks work.a and work.b, in the same order. */
  readonly aPaths: readonly string[];
  readonly bPaths: readonly string[];
  /** The file that receives the tile; overwritten. */
  readonly out: string;
}

export interface TileDone {
  /** Length of the tile. */
  readonly bytes: number;
  /** Time in the multiplication itself. */
  readonly computeMs: number;
  /** Files to memory, and a B that becomes resident to the device. */
  readonly readMs: number;
  readonly writeMs: number;
}

export interface OpenRequest {
  readonly kind: DeviceKind;
  readonly threads: number;
  readonly cacheBytes: number;
  /** Types that the device itself serves, as found by an earlier life of the process; null: find out by measuring. */
  readonly served: readonly OperandDtype[] | null;
  readonly tamper: string;
}

export interface Opened {
  /** Types that the device itself serves; the others are computed on the CPU. */
  readonly served: readonly OperandDtype[];
  readonly gflops: DeviceFacts['gflops'];
}

export type ComputeCalls = {
  /** Once, before the first tile. */
  open: { ask: OpenRequest; answer: Opened };
  multiply: { ask: TileJob; answer: TileDone };
};
