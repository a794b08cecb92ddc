/** `npm run sim`: runs seeds and prints violations. Exits with 1 when there is one. */
import { exitCode, parseWhole, systemClock } from '@muster/shared';
import { runProgram } from '@muster/shared/io';
import { Command, Option } from 'commander';
import { availableParallelism } from 'node:os';
import { faultKinds, parseFaults, type FaultKind } from './faults.ts';
import { plants, type Plant } from './plants.ts';
import { runSeed, type SeedOutcome } from './run-seed.ts';
import { runSeeds } from './seed-pool.ts';
import { describeViolation, Summary } from './summary.ts';

/** Violations that are printed in full. */
const VIOLATIONS_TOLD = 3;
const SEEDS_MAX = 100_000_000;

interface Flags {
  readonly seeds?: number;
  readonly seed?: number;
  readonly faults: FaultKind[];
  readonly plant?: Plant;
  readonly workers: number;
  readonly verbose?: true;
}

const whole =
  (option: string) =>
  (text: string): number =>
    parseWhole(text, option, [1, SEEDS_MAX]);

const program = new Command('npm run sim --')
  .description('Drives the real cores of head and providers through faults, in virtual time.')
  .option('--seeds <n>', 'how many (default: 1000, or 1 with --seed)', whole('--seeds'))
  .option('--seed <s>', 'the first one (default: 1)', whole('--seed'))
  .addOption(
    new Option('--faults <list>', `all, none, or some of ${faultKinds.join(',')}`)
      .argParser(parseFaults)
      .default([...faultKinds], 'all'),
  )
  .addOption(new Option('--plant <bug>', 'a known bug, to see it found').choices([...plants]))
  .option('--workers <n>', 'threads (default: one for each processor)', whole('--workers'), availableParallelism())
  .option('--verbose', 'print every event');

await runProgram(program, async () => {
  const { seed: first = 1, faults, plant = null, workers, verbose, ...flags } = program.opts<Flags>();
  const count = flags.seeds ?? (program.opts<Flags>().seed === undefined ? 1000 : 1);
  const startMs = systemClock.nowMs();
  const summary = new Summary();
  const report = (outcome: SeedOutcome): void => {
    summary.add(outcome);
    const told = describeViolation(outcome, { faults, plant });
    if (told !== null && summary.violations <= VIOLATIONS_TOLD) print(told);
  };
  if (verbose === true || count === 1) {
    for (let seed = first; seed < first + count; seed += 1)
      report(runSeed({ seed, faults, plant, print: verbose === true ? printLine : null }));
  } else await runSeeds({ first, count, faults, plant, workers }, report);
  print(summary.describe(systemClock.nowMs() - startMs));
  if (summary.violations > 0) process.exitCode = exitCode.taskFailed;
});

function print(text: string): void {
  process.stdout.write(text);
}

function printLine(line: string): void {
  print(`${line}\n`);
}
