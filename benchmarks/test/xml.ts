/** Why `text` is not one well-formed XML element of the kind that the charts use; '' when it is. */
export function wellFormed(text: string): string {
  const open: string[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const tag = /^<(\/?)([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<&]*")*)\s*(\/?)>/.exec(rest);
    const content = /^(?:[^<&]|&(?:amp|lt|gt|quot);)+/.exec(rest);
    if (tag === null && content === null) return `cannot be read from: ${rest.slice(0, 40)}`;
    if (tag === null && open.length === 0) return 'text outside the element';
    if (tag !== null) {
      const [, closing, name = '', , empty] = tag;
      if (closing === '/' && open.pop() !== name) return `</${name}> closes something else`;
      if (closing === '' && empty === '') open.push(name);
    }
    rest = rest.slice((tag ?? content)?.[0].length);
  }
  return open.length === 0 ? '' : `<${open.join('> <')}> is not closed`;
}
