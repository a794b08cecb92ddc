import { limits, MusterError, type Features, type Numbers, type SampleTarget, type Targets } from '@muster/shared';
import type { DataSetOptions } from './data-set.ts';
import type { RawSamples } from './raw-samples.ts';

/** Byte features as they are, others as finite float32. Throws BAD_DATA with the sample and the feature. */
export function checkedFeatures({ name, samples, features }: RawSamples): Features {
  if (features instanceof Uint8Array) return features;
  return finite(features, (at, value) => {
    const width = features.length / samples;
    return notFinite(name, `sample ${Math.floor(at / width)}, feature ${at % width} (both counted from 0) is ${value}`);
  });
}

/** The kind of targets, over all parts of a data set. */
export function targetOf(parts: readonly RawSamples[], { targets, classes }: DataSetOptions): SampleTarget {
  const [{ targetWidth: width } = { targetWidth: 1 }] = parts;
  const labelled = width === 1 && parts.every(({ wholeTargets }) => wholeTargets);
  const kind = targets ?? (classes !== undefined || labelled ? 'classes' : 'values');
  if (kind === 'values') return { kind, width };
  return { kind, classes: classes ?? classesIn(parts) };
}

/** Throws BAD_DATA with the sample for a label outside the classes or a value that is not finite. */
export function checkedTargets({ name, targets, targetWidth }: RawSamples, target: SampleTarget): Targets {
  if (target.kind === 'classes') return labels({ name, targets, targetWidth }, target.classes);
  return finite(targets, (at, value) =>
    notFinite(
      name,
      `target ${at % targetWidth} of sample ${Math.floor(at / targetWidth)} (counted from 0) is ${value}`,
    ),
  );
}

/** As many classes as the largest label implies; `checkedTargets` later reports invalid labels with their sample. */
function classesIn(parts: readonly RawSamples[]): number {
  let largest = 0;
  for (const { targets } of parts) for (const label of targets) if (label > largest) largest = label;
  return Math.min(limits.dimensionMax.value, Math.max(2, Math.floor(largest) + 1));
}

/** How many of the `classes` have no sample. */
export function emptyClasses(parts: readonly RawSamples[], classes: number): number {
  const seen = new Set<number>();
  for (const { targets } of parts) for (const label of targets) seen.add(label);
  return classes - seen.size;
}

function finite(values: Numbers, refusal: (at: number, value: number) => MusterError): Float32Array {
  const checked = values instanceof Float32Array ? values : Float32Array.from(values);
  for (let at = 0; at < checked.length; at++) {
    // x - x is NaN for NaN and for both infinities.
    if ((checked[at] as number) - (checked[at] as number) !== 0) throw refusal(at, values[at] as number);
  }
  return checked;
}

function labels(
  { name, targets, targetWidth }: Pick<RawSamples, 'name' | 'targets' | 'targetWidth'>,
  classes: number,
): Uint16Array {
  if (targetWidth !== 1) throw badLabel(name, `each sample has ${targetWidth} targets; a class is one label`);
  const checked = Uint16Array.from(targets);
  for (let at = 0; at < checked.length; at++) {
    const label = targets[at] as number;
    if (checked[at] !== label || label >= classes)
      throw badLabel(
        name,
        `sample ${at} (counted from 0) has label ${label}; ${classes} classes are 0 to ${classes - 1}`,
      );
  }
  return checked;
}

const badLabel = (name: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `the targets of ${name} are not labels of classes`, {
    why,
    fix: 'number the classes from 0, raise the number of classes, or let the targets be values',
  });

const notFinite = (name: string, why: string): MusterError =>
  new MusterError('BAD_DATA', `${name} holds what is no finite float32 number`, {
    why,
    fix: 'remove the sample, or replace the value: np.nan_to_num',
  });
