/** `npm run bench -- matmul|dispatch|mirror|recovery|train|curve`: starts clusters on this machine, measures them, and reports. */
import { formatDuration, parseWhole, plural } from '@muster/shared';
import { interruptions, runProgram } from '@muster/shared/io';
import { Argument, Command, Option } from 'commander';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { curveChart, curveTable } from './curve-report.ts';
import { describeMachine, resultFileName } from './machine.ts';
import { mirrorChart, mirrorTable } from './mirror-report.ts';
import { recoveryChart, recoveryTable } from './recovery-report.ts';
import { dispatchChart, dispatchTable, matmulChart, matmulTable, type Report } from './report.ts';
import { measureCurve, type CurveRow } from './scenarios/curve.ts';
import { measureDispatch, type DispatchRow } from './scenarios/dispatch.ts';
import { measureMatmul, type MatmulRow } from './scenarios/matmul.ts';
import { measureMirror } from './scenarios/mirror.ts';
import { measureRecovery, type RecoveryRow } from './scenarios/recovery.ts';
import { measureCrowd, type CrowdRow } from './scenarios/train-crowd.ts';
import { measureTrain, type TrainRow } from './scenarios/train.ts';
import { trainChart, trainTable } from './train-report.ts';

const results = fileURLToPath(new URL('../results/', import.meta.url));

interface Flags {
  readonly json?: true;
  readonly quick?: true;
  readonly save: boolean;
  readonly sizes?: number[];
  readonly providers: number[];
  readonly blocks: 'auto' | 'wire';
}

const wholes =
  (option: string, range: readonly [number, number]) =>
  (text: string): number[] =>
    text.split(',').map((one) => parseWhole(one, option, range));

const scenarios = ['matmul', 'dispatch', 'mirror', 'recovery', 'train', 'curve'] as const;

const program = new Command('npm run bench --')
  .description('Measures Muster on this machine, with real processes. Run it on an idle one.')
  .addArgument(
    new Argument(
      '<scenario>',
      'products of matrices, dispatch of subtasks, cost of the broker, time from a fault to useful work, training steps, or cost of encryption',
    ).choices(scenarios),
  )
  .option('--json', 'print one JSON object on stdout')
  .option('--quick', 'a minute instead of many: small, few repetitions, nothing saved')
  .option('--no-save', 'leave benchmarks/results as it is')
  .addOption(
    new Option(
      '--sizes <list>',
      'matmul, curve: n of the products (default: 512,1000,2048,4096; curve: 4096)',
    ).argParser(wholes('--sizes', [1, 16_384])),
  )
  .addOption(
    new Option('--providers <list>', 'numbers of providers')
      .argParser(wholes('--providers', [1, 64]))
      .default([1, 2], '1,2'),
  )
  .addOption(
    new Option(
      '--blocks <way>',
      'matmul, train: auto: operands through shared files; wire: through sockets, as between machines',
    )
      .choices(['auto', 'wire'])
      .default('auto'),
  );

const signal = interruptions();

await runProgram(program, async () => {
  const flags = program.opts<Flags>();
  await measure(program.args[0] as (typeof scenarios)[number], flags);
});

function measure(scenario: (typeof scenarios)[number], flags: Flags): Promise<void> {
  switch (scenario) {
    case 'matmul':
      return matmul(flags);
    case 'dispatch':
      return dispatch(flags);
    case 'mirror':
      return mirror(flags);
    case 'recovery':
      return recovery(flags);
    case 'train':
      return train(flags);
    case 'curve':
      return curve(flags);
  }
}

async function matmul(flags: Flags): Promise<void> {
  const { quick = false, providers, blocks, sizes = quick ? [512, 1000] : [512, 1000, 2048, 4096] } = flags;
  const rows = await measureMatmul({
    sizes,
    providers,
    blocks,
    repetitions: (n) => (quick ? 3 : n > 2048 ? 7 : n > 1000 ? 11 : 21),
    warmUps: 2,
    signal,
    onRow: ({ n, providers: count, operands, ms }: MatmulRow) =>
      say(`n ${n}, ${plural(count, 'provider')}, ${operands}: ${formatDuration(ms)}`),
  });
  conclude(flags, {
    scenario: 'matmul',
    report: { machine: describeMachine(Date.now()), blocks, rows },
    table: matmulTable,
    chart: matmulChart,
  });
}

async function dispatch(flags: Flags): Promise<void> {
  const { quick = false, providers } = flags;
  const rows = await measureDispatch({
    providers,
    repetitions: quick ? 1 : 3,
    scale: quick ? 0.1 : 1,
    signal,
    onRow: ({ mode, providers: count, p50Ms }: DispatchRow) =>
      say(`${mode}, ${plural(count, 'provider')}: p50 ${formatDuration(p50Ms)}`),
  });
  conclude(flags, {
    scenario: 'dispatch',
    report: { machine: describeMachine(Date.now()), rows },
    table: dispatchTable,
    chart: dispatchChart,
  });
}

/** Only one number of providers: there are more processes than cores already. */
async function mirror(flags: Flags): Promise<void> {
  const { quick = false, providers } = flags;
  const rows = await measureMirror({
    providers: Math.max(...providers),
    repetitions: quick ? 1 : 3,
    scale: quick ? 0.2 : 1,
    size: quick ? 2048 : 4096,
    signal,
    onRow: (row) =>
      say(
        row.kind === 'echo'
          ? `${row.load}, ${row.durability}: p50 ${formatDuration(row.p50Ms)}, at most ${formatDuration(row.worstLagMs)} behind`
          : `product, operands in the broker ${row.mirrorBlocks}: ${formatDuration(row.productMs)}`,
      ),
  });
  conclude(flags, {
    scenario: 'mirror',
    report: { machine: describeMachine(Date.now()), rows },
    table: mirrorTable,
    chart: mirrorChart,
  });
}

async function recovery(flags: Flags): Promise<void> {
  const { quick = false } = flags;
  const rows = await measureRecovery({
    repetitions: quick ? 1 : 3,
    crowd: quick ? 8 : 50,
    longMs: quick ? 60_000 : 90_000,
    signal,
    onRow: ({ fault, ms, met, missing }: RecoveryRow) =>
      say(
        `${fault}: ${ms === null ? `not measured, ${missing}` : formatDuration(ms)}${met === false ? ', which is too long' : ''}`,
      ),
  });
  conclude(flags, {
    scenario: 'recovery',
    report: { machine: describeMachine(Date.now()), rows },
    table: recoveryTable,
    chart: recoveryChart,
  });
}

async function train(flags: Flags): Promise<void> {
  const { quick = false, providers, blocks } = flags;
  const steps = await measureTrain({
    models: ['mlp', 'lenet'],
    batches: quick ? [512] : [128, 512, 2048],
    providers,
    compressions: ['bf16', 'topk:1%'],
    compressedBatch: 512,
    blocks,
    repetitions: quick ? 1 : 3,
    windowMs: quick ? 500 : 3000,
    signal,
    onRow: ({ model, batch, compression, providers: count, ms, speedup }: TrainRow) =>
      say(
        `${model}, ${batch}, ${compression}, ${plural(count, 'provider')}: ${formatDuration(ms)}, ${speedup.toFixed(2)}x`,
      ),
  });
  const crowds = await measureCrowd({
    counts: quick ? [4] : [4, 8, 16, 50],
    samples: 32,
    steps: quick ? 30 : 200,
    repetitions: quick ? 1 : 3,
    signal,
    onRow: ({ emulatedProviders, ms }: CrowdRow) =>
      say(`${emulatedProviders} emulated providers: ${formatDuration(ms)}`),
  });
  conclude(flags, {
    scenario: 'train',
    report: { machine: describeMachine(Date.now()), blocks, rows: [...steps, ...crowds] },
    table: trainTable,
    chart: trainChart,
  });
}

/** Only one number of providers, because every way has a cluster of its own. */
async function curve(flags: Flags): Promise<void> {
  const { quick = false, providers, sizes = quick ? [1000] : [4096] } = flags;
  const rows = await measureCurve({
    sizes,
    providers: Math.max(...providers),
    repetitions: quick ? 1 : 7,
    warmUps: quick ? 1 : 2,
    scale: quick ? 0.05 : 1,
    signal,
    onRow: (row: CurveRow) =>
      say(
        row.kind === 'product'
          ? `${row.way}, n ${row.n}, ${row.operands}: ${formatDuration(row.ms)}, ${row.speedup.toFixed(2)}x`
          : `${row.way}, ${row.mode}: ${Math.round(row.subtasksPerSecond)} subtasks/s`,
      ),
  });
  conclude(flags, {
    scenario: 'curve',
    report: { machine: describeMachine(Date.now()), rows },
    table: curveTable,
    chart: curveChart,
  });
}

interface Conclusion<R> {
  readonly scenario: string;
  readonly report: R;
  readonly table: (report: R) => string;
  readonly chart: (report: R) => string;
}

function conclude<R extends Report<unknown>>(
  { json, quick, save }: Flags,
  { scenario, report, table, chart }: Conclusion<R>,
): void {
  const lines = `${JSON.stringify(report, null, 2)}\n`;
  process.stdout.write(json === true ? lines : table(report));
  if (quick === true || !save) return;
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, resultFileName(report.machine, scenario)), lines);
  writeFileSync(join(results, `${scenario}.svg`), chart(report));
  say(`saved in ${results}`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
