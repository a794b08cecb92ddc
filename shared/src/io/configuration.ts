/** `config show`: what holds for a program, and who said so. Secrets are masked. */
import type { Command, Option } from 'commander';
import { masked } from '../secrets.ts';
import { table } from '../table.ts';
import { printResult } from './print-result.ts';
import { fileVariable, readSecretFile, type SecretOption } from './secret-option.ts';

export interface ConfiguredValue {
  /** As on the command line; a variable where it is no option. */
  readonly option: string;
  readonly value: string;
  /** flag, environment, file, default, or what the program itself says, as membership. */
  readonly from: string;
}

export interface ShownOptions {
  readonly secrets: readonly SecretOption[];
  /** What holds where nobody says anything and the option states no default, by its long name. */
  readonly otherwise: () => Readonly<Record<string, Omit<ConfiguredValue, 'option'>>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** What was said to the options of a program, in the words it was said in. To be made before the command line is parsed. */
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

/** In the order in which `--help` has them, then the secrets that are no options. */
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

/** No more than that it is there: unlike a URL it has no part that may be read. */
function withoutOption(secret: SecretOption, env: NodeJS.ProcessEnv): ConfiguredValue | null {
  const value = '***';
  if ((env[secret.variable] ?? '') !== '') return { option: secret.variable, value, from: 'environment' };
  const found = secretIn(secret, env);
  return found === null ? null : { option: secret.variable, ...found, value };
}
