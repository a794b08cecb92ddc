// `npm run fuzz [-- CASES [SEED]]`: many more cases than `npm test` has, at every place where foreign bytes become values.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, root } from './ensure-built.mjs';

const [cases = '70000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
if (![cases, seed].every((text) => /^[1-9]\d{0,8}$/.test(text))) {
  console.error(
    `error: npm run fuzz takes numbers only\n  why: got '${process.argv.slice(2).join(' ')}'\n  fix: npm run fuzz -- 70000 1`,
  );
  process.exit(2);
}
ensureBuilt();
console.log(`${cases} cases for each gate; again with: npm run fuzz -- ${cases} ${seed}`);
const { status } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--experimental-vm-modules',
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--selectProjects',
    'unit',
    '--runInBand',
    'shared/test/fuzz',
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, FUZZ_CASES: cases, FUZZ_SEED: seed } },
);
process.exitCode = status ?? 1;
