import { readFileSync } from 'node:fs';
import {
  checkpointTensors,
  parameters,
  parseCheckpoint,
  parseSavedProgress,
  readSafetensors,
  writeSafetensors,
  type Checkpoint,
  type Model,
  type SavedProgress,
} from '@muster/shared';
import { systemCodeOf, writeFileAtomically } from '@muster/shared/io';

/** A checkpoint and the progress of its run; `progress` is null where another program wrote the file. */
export interface RunCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly progress: SavedProgress | null;
}

/** Equal for equal models, because a parsed description has its fields in one order. */
export const modelText = (model: Model): string => JSON.stringify(model);

/** Returns the length of the file, once it is on disk. */
export function writeCheckpoint(path: string, model: Model, { checkpoint, progress }: RunCheckpoint): number {
  const { tensors, metadata } = checkpointTensors(checkpoint, parameters(model));
  const pieces = writeSafetensors({ tensors, metadata: { ...metadata, progress: JSON.stringify(progress) } });
  writeFileAtomically(path, pieces);
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Null when there is no file. Throws CHECKPOINT_MISMATCH for one of another model, BAD_DATA for what is no checkpoint. */
export function readCheckpoint(path: string, model: Model): (RunCheckpoint & { readonly bytes: number }) | null {
  const content = contentOf(path);
  if (content === null) return null;
  const stored = readSafetensors(content, path);
  const checkpoint = parseCheckpoint(stored, { model: modelText(model), layout: parameters(model) });
  return { checkpoint, progress: parseSavedProgress(stored.metadata['progress']), bytes: content.length };
}

function contentOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
