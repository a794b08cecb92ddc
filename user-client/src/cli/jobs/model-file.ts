import { closestOf, MusterError, parseModel, presets, type Model, type Preset } from '@muster/shared';
import { existsSync } from 'node:fs';
import { readWholeFile } from '../../read-whole-file.ts';
import { isPreset } from '../../training/train-request.ts';

/** A hand-written description is about a page of text. */
const DESCRIPTION_BYTES_MAX = 2 ** 20;

/** The name of a preset, or the model that a JSON file describes. @throws BAD_DATA, BAD_MODEL, TOO_LARGE, SHAPE_MISMATCH */
export function readModel(nameOrPath: string): Preset | Model {
  if (isPreset(nameOrPath)) return nameOrPath;
  if (!existsSync(nameOrPath)) throw unknownModel(nameOrPath);
  const text = new TextDecoder().decode(readWholeFile(nameOrPath, DESCRIPTION_BYTES_MAX));
  return parseModel(parseJson(text, nameOrPath));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MusterError('BAD_MODEL', `${path} is not JSON`, {
      why: error instanceof Error ? error.message : String(error),
      fix: 'see docs/model.md for two models to start from',
      cause: error,
    });
  }
}

function unknownModel(name: string): MusterError {
  const meant = closestOf(name, presets);
  return new MusterError('BAD_DATA', `there is no model '${name}'`, {
    why: `it is none of ${presets.join(', ')}, and there is no such file`,
    fix:
      meant === undefined
        ? '--model lenet, or --model MODEL.json as in docs/model.md'
        : `did you mean --model ${meant}?`,
  });
}
