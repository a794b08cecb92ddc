/**
 * Throws SyntaxError for a JSON text that nests deeper than `depthMax` or has an object with the same key twice, of which
 * `JSON.parse` would silently take the last. Everything else about the text is for `JSON.parse` to judge.
 */
export function checkJsonKeys(text: string, depthMax: number): void {
  /** The keys of each open object; of an open array, none. */
  const open: Set<string>[] = [];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[[\]{}]/gs)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (token.endsWith(':')) addKey(token.slice(0, -1).trimEnd(), open.at(-1));
    if (open.length > depthMax) throw new SyntaxError(`deeper than ${depthMax} levels at character ${index}`);
  }
}

function addKey(literal: string, keys: Set<string> | undefined): void {
  const key = JSON.parse(literal) as string;
  if (keys?.has(key)) throw new SyntaxError(`${literal} is there twice`);
  keys?.add(key);
}
