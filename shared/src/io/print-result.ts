/** Prints to stdout: the lines on a terminal, else one JSON object for scripts. */
export function printResult(found: unknown, lines: readonly string[]): void {
  process.stdout.write(process.stdout.isTTY ? `${lines.join('\n')}\n` : `${JSON.stringify(found)}\n`);
}
