import { limits, readSafetensorsMetadata, type TrainingReport } from '@muster/shared';
import { readPiece } from './read-piece.ts';

/**
 * What the checkpoint file itself says: a run that is cancelled or times out writes one after its last report. Null if there is no
 * readable file. Reads the file's first MiB, which holds the header of all but the largest models.
 */
export function savedCheckpoint(path: string): Pick<TrainingReport, 'checkpointStep' | 'checkpointBytes'> | null {
  try {
    const { bytes, total } = readPiece(path, { offset: 0, length: limits.chunkBytesMax.value });
    return { checkpointStep: Number(readSafetensorsMetadata(bytes, path)['step']), checkpointBytes: total };
  } catch {
    return null;
  }
}
