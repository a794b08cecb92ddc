/** One Jest project per kind of test, chosen by file suffix; none of them needs a build to import `@muster/*`. */
function project(displayName, testMatch) {
  return {
    displayName,
    testMatch,
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
  // What starts processes takes its time on a machine that does something else as well; a test that hangs is still found. For all
  // projects, because Jest accepts the option in one of them and then leaves it out of account.
  testTimeout: 30_000,
  projects: [
    project('unit', ['<rootDir>/{*,*/simulator}/test/**/*.test.ts', '!**/*.int.test.ts', '!**/*.chaos.test.ts']),
    project('integration', ['<rootDir>/*/test/**/*.int.test.ts']),
    project('chaos', ['<rootDir>/*/test/**/*.chaos.test.ts']),
  ],
};
