import { Option } from 'commander';

/** An option of the command line that a variable of the environment sets too. */
export const envOption = (flags: string, description: string, variable: string): Option =>
  new Option(flags, description).env(variable);
