/** On stdout: for scripts one JSON object, when it is no terminal; for people the lines. */
export function printResult(found: unknown, lines: readonly string[]): void {
  process.stdout.write(process.stdout.isTTY ? `${lines.join('\n')}\n` : `${JSON.stringify(found)}\n`);
}
