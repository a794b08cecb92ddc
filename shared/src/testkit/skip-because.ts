type TestBody = () => Promise<unknown> | undefined | void;

/** Registers one test, in the form of Jest's `test`. */
export type RegisterTest = (name: string, body: TestBody, timeoutMs?: number) => void;

/**
 * The only way to skip a test: the reason is part of the test's name, and `npm test` prints it. Reads the global `test`, so that the rest
 * of the test kit stays usable outside Jest.
 *
 * @example const gpuTest = hasGpu ? test : skipBecause('no GPU on this machine');
 */
export function skipBecause(reason: string): RegisterTest {
  return (name, body, timeoutMs) => runner().skip(`${name} [skipped: ${reason}]`, body, timeoutMs);
}

function runner(): { skip: RegisterTest } {
  const { test } = globalThis as { test?: { skip: RegisterTest } };
  if (!test) throw new Error('skipBecause works only in a Jest test file');
  return test;
}
