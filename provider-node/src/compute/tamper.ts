import { MusterError, type Elements } from '@muster/shared';

/**
 * Makes results wrong, so that tests can see them being caught: 'all' adds 1 to every element, 'one-element:0.05' adds 0.05 to the middle
 * one, 'flip' negates all, 'flip:20' does so from the 21st result on. '' changes nothing. Throws USAGE for anything else.
 */
export function tampering(kind: string): ((elements: Elements) => void) | undefined {
  if (kind === '') return undefined;
  if (kind === 'all') return addToAll;
  if (kind === 'flip') return flip;
  const honest = /^flip:(\d+)$/.exec(kind);
  if (honest) return flipAfter(Number(honest[1]));
  const match = /^one-element:(\d+(?:\.\d+)?)$/.exec(kind);
  if (!match) throw new MusterError('USAGE', 'tamper cannot be read', { why: `got '${kind}'`, fix: 'all' });
  const amount = Number(match[1]);
  return (elements) =>
    void (elements[elements.length >> 1]! += elements instanceof Int32Array ? Math.ceil(amount) : amount);
}

function addToAll(elements: Elements): void {
  for (let i = 0; i < elements.length; i++) elements[i]! += 1;
}

function flipAfter(honest: number): (elements: Elements) => void {
  let left = honest;
  return (elements) => {
    if (left === 0) flip(elements);
    else left -= 1;
  };
}

function flip(elements: Elements): void {
  for (let i = 0; i < elements.length; i++) elements[i] = -elements[i]!;
}
