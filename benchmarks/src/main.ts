/** `npm run bench -- matmul|dispatch`: starts clusters on this machine, measures them, and reports. */
import { formatDuration, MusterError, parseWhole } from '@muster/shared';
import { runProgram, untilSignal } from '@muster/shared/io';
import { Argument, Command, Option } from 'commander';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, resultFileName } from './machine.ts';
import { dispatchChart, dispatchTable, matmulChart, matmulTable, type Report } from './report.ts';
import { measureDispatch, type DispatchRow } from './scenarios/dispatch.ts';
import { measureMatmul, type MatmulRow } from './scenarios/matmul.ts';

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

const program = new Command('npm run bench --')
  .description('Measures Muster on this machine, with real processes. Run it on an idle one.')
  .addArgument(
    new Argument('<scenario>', 'products of matrices, or dispatch of subtasks').choices(['matmul', 'dispatch']),
  )
  .option('--json', 'print one JSON object on stdout')
  .option('--quick', 'a minute instead of many: small, few repetitions, nothing saved')
  .option('--no-save', 'leave benchmarks/results as it is')
  .addOption(
    new Option('--sizes <list>', 'matmul: n of the products (default: 512,1000,2048,4096)').argParser(
      wholes('--sizes', [1, 16_384]),
    ),
  )
  .addOption(
    new Option('--providers <list>', 'numbers of providers')
      .argParser(wholes('--providers', [1, 64]))
      .default([1, 2], '1,2'),
  )
  .addOption(
    new Option(
      '--blocks <way>',
      'matmul: auto: operands through shared files; wire: through sockets, as between machines',
    )
      .choices(['auto', 'wire'])
      .default('auto'),
  );

const interruption = new AbortController();

await runProgram(program, async () => {
  void untilSignal().then((signal) =>
    interruption.abort(new MusterError('INTERRUPTED', 'interrupted', { why: `${signal} came` })),
  );
  const flags = program.opts<Flags>();
  if (program.args[0] === 'dispatch') await dispatch(flags);
  else await matmul(flags);
});

async function matmul(flags: Flags): Promise<void> {
  const { quick = false, providers, blocks, sizes = quick ? [512, 1000] : [512, 1000, 2048, 4096] } = flags;
  const rows = await measureMatmul({
    sizes,
    providers,
    blocks,
    repetitions: (n) => (quick ? 3 : n > 2048 ? 7 : n > 1000 ? 11 : 21),
    warmUps: 2,
    signal: interruption.signal,
    onRow: ({ n, providers: count, operands, ms }: MatmulRow) =>
      say(`n ${n}, ${count} provider(s), ${operands}: ${formatDuration(ms)}`),
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
    signal: interruption.signal,
    onRow: ({ mode, providers: count, p50Ms }: DispatchRow) =>
      say(`${mode}, ${count} provider(s): p50 ${formatDuration(p50Ms)}`),
  });
  conclude(flags, {
    scenario: 'dispatch',
    report: { machine: describeMachine(Date.now()), rows },
    table: dispatchTable,
    chart: dispatchChart,
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
