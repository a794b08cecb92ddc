/** Exit codes of all three programs; the README lists them for scripts. */
export const exitCode = {
  done: 0,
  taskFailed: 1,
  usage: 2,
  headUnreachable: 3,
  notAuthorised: 4,
  notEnoughNodes: 5,
  timeout: 6,
  verificationFailed: 7,
  badData: 65,
  bug: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];
