/** What all parts of one run share. */
import type { Chronicle } from './chronicle.ts';
import type { Draw } from './draw.ts';
import type { Faults } from './faults.ts';
import type { Plant } from './plants.ts';
import type { Scenario } from './scenario.ts';
import type { Timeline } from './timeline.ts';
import type { Witness } from './witness/witness.ts';

export interface World {
  readonly timeline: Timeline;
  readonly chronicle: Chronicle;
  readonly draw: Draw;
  readonly faults: Faults;
  readonly scenario: Scenario;
  readonly witness: Witness;
  /** A bug to be found; null in regular runs. */
  readonly plant: Plant | null;
}
