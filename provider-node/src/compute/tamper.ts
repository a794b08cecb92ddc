import { MusterError, type Elements } from '@muster/shared';

/**
 * Makes tiles wrong, so that tests can see them being caught: 'all' adds 1 to every element of every tile, 'one-element:0.05'
 * adds 0.05 to one element in the middle of it. '' changes nothing.
 */
export function tampering(kind: string): ((elements: Elements) => void) | undefined {
  if (kind === '') return undefined;
  if (kind === 'all') return addToAll;
  const match = /^one-element:(\d+(?:\.\d+)?)$/.exec(kind);
  if (!match) throw new MusterError('USAGE', 'tamper cannot be read', { why: `got '${kind}'`, fix: 'all' });
  const amount = Number(match[1]);
  return (elements) =>
    void (elements[elements.length >> 1]! += elements instanceof Int32Array ? Math.ceil(amount) : amount);
}

function addToAll(elements: Elements): void {
  for (let i = 0; i < elements.length; i++) elements[i]! += 1;
}
