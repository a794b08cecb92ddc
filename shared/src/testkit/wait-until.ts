const POLL_MS = 5;

/** `what` is part of the error message; `timeoutMs` is 10 s by default. */
export interface Wait {
  readonly what: string;
  readonly timeoutMs?: number;
}

/**
 * Waits until `condition` gives something other than false, null or undefined, and returns it. A condition that throws is one that
 * does not hold yet; its last error is the cause of the failure. Never wait for time: wait for what should happen.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000 }: Wait,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  let last: Attempt<T>;
  do {
    last = await attempt(condition);
    if (holds(last.value)) return last.value;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  } while (performance.now() < deadline);
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: last.error });
}

interface Attempt<T> {
  readonly value?: T | undefined;
  readonly error?: unknown;
}

const holds = <T>(value: T | undefined): value is Exclude<T, false | null | undefined> =>
  value !== undefined && value !== null && value !== false;

async function attempt<T>(condition: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await condition() };
  } catch (error) {
    return { error };
  }
}
