import { Option } from 'commander';

/** A command-line option that an environment variable can set too. */
export const envOption = (flags: string, description: string, variable: string): Option =>
  new Option(flags, description).env(variable);
