import type { EchoRun } from '../options/echo-run.ts';
import type { Job } from './job.ts';

export const echoJob = ({ count, bytes, batch, window }: EchoRun): Job => ({
  start: ({ client, request }) => client.echo({ count, bytes, batch, window, ...request }),
  finish: () => Promise.resolve({}),
  close: () => undefined,
});
