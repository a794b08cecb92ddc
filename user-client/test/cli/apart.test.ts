import { afterAll, describe, expect, test } from '@jest/globals';
import { linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryDirectories } from '@muster/shared/testkit';
import { expectApart } from '../../src/cli/jobs/apart.ts';

const directories = new TemporaryDirectories();
const directory = directories.make();
const at = (name: string): string => join(directory, name);
writeFileSync(at('A.npy'), '');
symlinkSync(at('A.npy'), at('symbolic'));
linkSync(at('A.npy'), at('hard'));
afterAll(() => directories.removeAll());

describe('an output', () => {
  test.each(['A.npy', 'symbolic', 'hard'])('that is an input is refused: %s', (name) => {
    const act = (): void => expectApart({ '--out': at(name) }, { '--a': at('A.npy'), '--b': undefined });
    expect(act).toThrow(expect.objectContaining({ code: 'USAGE', message: '--out would overwrite what --a names' }));
  });

  test('that is another output is refused, before either is there', () => {
    const act = (): void => expectApart({ '--out': at('M'), '--onnx': join(directory, '.', 'M') }, {});
    expect(act).toThrow(expect.objectContaining({ message: '--onnx would overwrite what --out names' }));
  });

  test('is not compared with an input that cannot be looked at: opening that tells why', () => {
    symlinkSync(at('loop'), at('loop'));
    expect(() => expectApart({ '--out': at('D.npy') }, { '--a': at('loop') })).not.toThrow();
  });

  test('of its own is not, whether it is there or not', () => {
    writeFileSync(at('C.npy'), '');
    expect(() => expectApart({ '--out': at('C.npy'), '--onnx': undefined }, { '--a': at('A.npy') })).not.toThrow();
    expect(() => expectApart({ '--out': at('new'), '--onnx': at('other') }, { '--a': at('no') })).not.toThrow();
  });
});
