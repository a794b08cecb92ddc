// `npm test`: installs and builds if needed, runs all three kinds of test, and closes with one line of totals.
// A failure in one kind does not hide the others. A skipped test must carry its reason (see `skipBecause` in the test kit).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, root } from './ensure-built.mjs';
import { ensureRabbit } from './ensure-rabbitmq.mjs';

const KINDS = [
  { project: 'unit', flags: [] },
  { project: 'integration', flags: ['--runInBand'] },
  { project: 'chaos', flags: ['--runInBand'] },
];
const SKIP_REASON = /\[skipped: (.+)\]$/;
const patterns = process.argv.slice(2);

ensureBuilt();
if (!(await ensureRabbit())) process.exit(1);
const reportFolder = mkdtempSync(join(tmpdir(), 'muster-test-'));
const runs = KINDS.map(runKind);
rmSync(reportFolder, { recursive: true, force: true });
process.exitCode = summarize(runs);

function runKind({ project, flags }) {
  const outputFile = join(reportFolder, `${project}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--experimental-vm-modules',
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      `--selectProjects=${project}`,
      '--ci',
      '--passWithNoTests',
      '--json',
      `--outputFile=${outputFile}`,
      ...flags,
      ...patterns,
    ],
    { cwd: root, stdio: ['inherit', 'ignore', 'inherit'] },
  );
  return { project, succeeded: status === 0, suites: readSuites(outputFile) };
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
    console.log(`the ${run.project} run ended without a complete report, which counts as failed`);
  if (tests.length === 0) console.log('no test ran, which counts as failed');

  const failures = failedTests.length + brokenSuites.length + deadRuns.length + unexplained.length;
  console.log(`${passed} passed, ${failures} failed, ${explained.length} skipped`);
  return failures === 0 && tests.length > 0 ? 0 : 1;
}

function hasFailed({ status }) {
  return status === 'failed';
}
