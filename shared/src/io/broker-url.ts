import { takeSecret, type SecretOption, type SecretSurroundings } from './secret-option.ts';

export const BROKER_URL: SecretOption = { variable: 'AMQP_URL', flag: '--amqp', what: 'the URL of the broker' };

/** The broker's URL from `--amqp` or AMQP_URL, else from the file that AMQP_URL_FILE names; null if none is set. */
export const takeBrokerUrl = (given: string | undefined, surroundings?: SecretSurroundings): string | null =>
  takeSecret(given, BROKER_URL, surroundings);
