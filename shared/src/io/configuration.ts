/** `config show`: the effective options of a program and the source of each. Secrets are masked. */
import type { Command, Option } from 'commander';
import { masked } from '../secrets.ts';
import { table } from '../table.ts';
import { printResult } from './print-result.ts';
import { fileVariable, readSecretFile, type SecretOption } from './secret-option.ts';

export interface ConfiguredValue {
  /** Command-line flag; the environment variable if there is no flag. */
  readonly option: string;
  readonly value: string;
  /** flag, environment, file, default, or a source that the program supplies, such as membership. */
  readonly from: string;
}

export interface ShownOptions {
  readonly secrets: readonly SecretOption[];
  /** Values that hold when neither flag, environment nor file sets an option, by its long name; they come before its stated default. */
  readonly otherwise: () => Readonly<Record<string, Omit<ConfiguredValue, 'option'>>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** Raw texts given to the program's options, by name. Listening must begin before the command line is parsed. */
type Said = ReadonlyMap<string, string>;

export function addConfigCommand(
  program: Command,
  shown: ShownOptions,
  chosen: (action: () => Promise<void>) => void,
): void {
  const said = listen(program);
  program
    .command('config')
    .description('what holds for this program')
    .command('show')
    .description(
      'print every option, its value, and whether flag, environment, file or default says so; secrets are masked',
    )
    .action(() =>
      chosen(() => {
        const configuration = configurationOf(program, shown, said);
        printResult({ configuration }, lines(configuration));
        return Promise.resolve();
      }),
    );
}

const lines = (configuration: readonly ConfiguredValue[]): string[] =>
  table([['OPTION', 'VALUE', 'FROM'], ...configuration.map(({ option, value, from }) => [option, value, from])]);

function listen(program: Command): Said {
  const said = new Map<string, string>();
  for (const option of program.options)
    for (const event of [`optionEnv:${option.name()}`, `option:${option.name()}`])
      program.on(event, (text: unknown) => said.set(option.name(), typeof text === 'string' ? text : 'on'));
  return said;
}

/** In the order of `--help`, then the secrets that have no flag. */
export function configurationOf(program: Command, shown: ShownOptions, said: Said): ConfiguredValue[] {
  const { secrets, otherwise, env = process.env } = shown;
  const fallbacks = otherwise();
  const options = program.options.filter(({ long }) => long !== '--version');
  const values = options.map((option) => {
    const secret = secrets.find(({ flag }) => flag === option.long);
    const source = program.getOptionValueSource(option.attributeName());
    const fallback = fallbacks[option.long ?? ''] ?? { value: defaultOf(option), from: 'default' };
    return {
      option: option.long ?? option.name(),
      ...(source === 'cli' || source === 'env'
        ? saidTo(option, source, said)
        : ((secret && secretIn(secret, env)) ?? fallback)),
    };
  });
  const others = secrets.filter(({ flag }) => flag === '').map((secret) => withoutOption(secret, env));
  return [...values, ...others.filter((value) => value !== null)].map((each) => ({
    ...each,
    value: masked(each.value),
  }));
}

function saidTo(option: Option, source: string, said: Said): Omit<ConfiguredValue, 'option'> {
  const from = source === 'cli' ? 'flag' : `environment ${option.envVar ?? ''}`;
  return { value: said.get(option.name()) ?? 'on', from };
}

function defaultOf(option: Option): string {
  if (!option.required && !option.optional) return 'off';
  const { defaultValue, defaultValueDescription } = option as {
    defaultValue?: unknown;
    defaultValueDescription?: string;
  };
  return (
    defaultValueDescription ??
    (typeof defaultValue === 'string' || typeof defaultValue === 'number' ? String(defaultValue) : 'none')
  );
}

/** Null where no file is named. */
function secretIn(secret: SecretOption, env: NodeJS.ProcessEnv): Omit<ConfiguredValue, 'option'> | null {
  const file = env[fileVariable(secret)] ?? '';
  return file === '' ? null : { value: readSecretFile(file, secret), from: `file ${file} (${fileVariable(secret)})` };
}

/** Shows only that the secret is set: unlike a URL it has no part that may be shown. */
function withoutOption(secret: SecretOption, env: NodeJS.ProcessEnv): ConfiguredValue | null {
  const value = '***';
  if ((env[secret.variable] ?? '') !== '') return { option: secret.variable, value, from: 'environment' };
  const found = secretIn(secret, env);
  return found === null ? null : { option: secret.variable, ...found, value };
}
