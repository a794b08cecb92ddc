// `npm test`: installs and builds if needed, runs all three kinds of test, and closes with one line of totals.
// A failure in one pass does not hide the others. A skipped test must carry its reason (see `skipBecause` in the test kit).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, root } from './ensure-built.mjs';
import { ensureRabbit } from './ensure-rabbitmq.mjs';

/** Most of what starts processes keeps one core busy, or waits. */
const twoAtOnce = `--maxWorkers=${Math.min(2, availableParallelism())}`;
/** `*.timed.*` measures time and has the machine to itself. */
const PASSES = [
  { name: 'unit', projects: ['unit'], flags: [twoAtOnce] },
  {
    name: 'integration and chaos',
    projects: ['integration', 'chaos'],
    flags: [twoAtOnce, '--testPathIgnorePatterns=\\.timed\\.'],
  },
  {
    name: 'timed',
    projects: ['integration', 'chaos'],
    flags: ['--runInBand', '--testPathIgnorePatterns=^(?!.*\\.timed\\.)'],
  },
];
const SKIP_REASON = /\[skipped: (.+)\]$/;
const patterns = process.argv.slice(2);

ensureBuilt();
if (!(await ensureRabbit())) process.exit(1);
const reportFolder = mkdtempSync(join(tmpdir(), 'muster-test-'));
const runs = PASSES.map(runPass);
rmSync(reportFolder, { recursive: true, force: true });
process.exitCode = summarize(runs);

function runPass({ name, projects, flags }) {
  const outputFile = join(reportFolder, `${name}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--experimental-vm-modules',
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      ...patterns,
      '--selectProjects',
      ...projects,
      '--ci',
      '--passWithNoTests',
      '--json',
      `--outputFile=${outputFile}`,
      ...flags,
    ],
    { cwd: root, stdio: ['inherit', 'ignore', 'inherit'] },
  );
  return { name, succeeded: status === 0, suites: readSuites(outputFile) };
}

/** Jest writes no report when it dies early; the exit status then says that the run failed. */
function readSuites(outputFile) {
  try {
    return JSON.parse(readFileSync(outputFile, 'utf8')).testResults;
  } catch {
    return [];
  }
}

function summarize(finishedRuns) {
  const suites = finishedRuns.flatMap((run) => run.suites);
  const tests = suites.flatMap((suite) => suite.assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  const skipped = tests.filter((test) => test.status === 'pending' || test.status === 'todo');
  const explained = skipped.filter((test) => SKIP_REASON.test(test.title));
  const unexplained = skipped.filter((test) => !SKIP_REASON.test(test.title));
  const failedTests = tests.filter(hasFailed);
  const brokenSuites = suites.filter((suite) => hasFailed(suite) && !suite.assertionResults.some(hasFailed));
  const deadRuns = finishedRuns.filter((run) => !run.succeeded && !run.suites.some(hasFailed));

  for (const test of explained) console.log(`skipped: ${test.fullName}`);
  for (const test of unexplained) console.log(`skipped without a reason, which counts as failed: ${test.fullName}`);
  for (const run of deadRuns)
    console.log(`the pass '${run.name}' ended without a complete report, which counts as failed`);
  if (tests.length === 0) console.log('no test ran, which counts as failed');

  const failures = failedTests.length + brokenSuites.length + deadRuns.length + unexplained.length;
  console.log(`${passed} passed, ${failures} failed, ${explained.length} skipped`);
  return failures === 0 && tests.length > 0 ? 0 : 1;
}

function hasFailed({ status }) {
  return status === 'failed';
}
