/** What starts processes takes its time on a machine that does something else as well; a test that hangs is still found. */
const PROCESSES_MS = 30_000;

/** One Jest project per kind of test, chosen by file suffix; none of them needs a build to import `@muster/*`. */
function project(displayName, testMatch, testTimeout = 5000) {
  return {
    displayName,
    testMatch,
    testTimeout,
    testPathIgnorePatterns: ['/node_modules/', '/dist/'],
    testEnvironment: '<rootDir>/jest.environment.mjs',
    testEnvironmentOptions: { customExportConditions: ['@muster/source', 'node', 'node-addons'] },
    extensionsToTreatAsEsm: ['.ts'],
    transform: {
      '\\.ts$': [
        '@swc/jest',
        { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' },
      ],
    },
  };
}

export default {
  coverageProvider: 'v8',
  projects: [
    project('unit', ['<rootDir>/{*,*/simulator}/test/**/*.test.ts', '!**/*.int.test.ts', '!**/*.chaos.test.ts']),
    project('integration', ['<rootDir>/*/test/**/*.int.test.ts'], PROCESSES_MS),
    project('chaos', ['<rootDir>/*/test/**/*.chaos.test.ts'], PROCESSES_MS),
  ],
};
