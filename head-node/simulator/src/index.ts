export { faultKinds, parseFaults, type FaultKind } from './faults.ts';
export { plants, type Plant } from './plants.ts';
export { describeViolation, replayCommand, Summary, type Asked } from './summary.ts';
export { runSeed, type Found, type SeedOptions, type SeedOutcome } from './run-seed.ts';
