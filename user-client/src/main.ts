import { MusterError, type Endpoint } from '@muster/shared';
import { runProgram, untilSignal } from '@muster/shared/io';
import { wantsJson } from './cli/flags.ts';
import { buildProgram, type Action } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';
import { currentMembership } from './memberships.ts';

// `user-client tasks ls | head -1` closes the pipe early: no one reads the rest.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

/** `withClient` adds what became of a submitted task. */
const interrupted = (signal: string): MusterError =>
  new MusterError('INTERRUPTED', 'interrupted', { why: `${signal} came` });

let action: Action = () => Promise.resolve();
const interruption = new AbortController();
void untilSignal().then((signal) => interruption.abort(interrupted(signal)));

const joined = (): Endpoint | null => currentMembership()?.endpoints[0] ?? null;
const program = buildProgram({ env: process.env, joined, chosen: (chosen) => (action = chosen) });
const json = wantsJson(process.argv, process.env);
await runProgram(program, () => action({ terminal: processTerminal(process), signal: interruption.signal }), { json });
