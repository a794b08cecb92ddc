/** Every shape and type against NumPy, through the command line, on a cluster of three real nodes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClusterUnderTest, skipBecause } from '@muster/shared/testkit';
import { hasNumpy, python } from './numpy.ts';

const numpyTest = hasNumpy ? test : skipBecause('python3 with NumPy is not installed');

/** [m, k, n] of A (m x k) * B (k x n). */
const SHAPES = [
  [1, 1, 1],
  [1, 700, 1],
  [1, 513, 801],
  [801, 513, 1],
  [700, 1, 900],
  [997, 3, 1013],
  [1000, 1000, 1000],
] as const;
const DTYPES = ['float32', 'float64', 'int8'] as const;
const CASES = DTYPES.flatMap((dtype) =>
  SHAPES.map(([m, k, n]) => ({
    name: `${m}x${k} by ${k}x${n} ${dtype}`,
    id: `${dtype}-${m}-${k}-${n}`,
    nodes: n === 1000 ? 3 : 1,
  })),
);

/** Operands with values of very different size; every second A and every third B lie column by column. */
const MAKE = `
import sys, numpy as np
folder, cases = sys.argv[1], sys.argv[2:]
for at, case in enumerate(cases):
    dtype, m, k, n = case.split('-')
    m, k, n = int(m), int(k), int(n)
    rng = np.random.default_rng(at)
    def matrix(rows, columns):
        if dtype == 'int8': return rng.integers(-128, 128, (rows, columns), dtype='int8')
        return (rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-3, 4, (rows, 1))).astype(dtype)
    a, b = matrix(m, k), matrix(k, n)
    np.save(f'{folder}/{case}.a.npy', np.asfortranarray(a) if at % 2 else a)
    np.save(f'{folder}/{case}.b.npy', np.asfortranarray(b) if at % 3 == 1 else b)
`;

/** Prints 'ok' or what is wrong. Float products are compared with one that has more digits than they have. */
const CHECK = `
import sys, numpy as np
a, b, c = (np.load(path) for path in sys.argv[1:])
def verdict():
    if c.shape != (a.shape[0], b.shape[1]): return f'shape {c.shape}'
    if a.dtype == np.int8:
        if c.dtype != np.int32: return f'type {c.dtype}'
        wrong = int((a.astype(np.int64) @ b.astype(np.int64) != c).sum())
        return 'ok' if wrong == 0 else f'{wrong} wrong elements'
    if c.dtype != a.dtype: return f'type {c.dtype}'
    wide = np.float64 if a.dtype == np.float32 else np.longdouble
    step = 61 if wide is np.longdouble and c.size > 100000 else 1
    error = np.abs(a[::step].astype(wide) @ b.astype(wide) - c[::step]).max()
    unit = 2.0 ** -24 if a.dtype == np.float32 else 2.0 ** -53
    bound = 4 * unit * a.shape[1] * float(np.abs(a).max()) * float(np.abs(b).max())
    if a.dtype == np.float64:
        close = np.abs(a @ b - c).max()
        if not close <= bound: return f'differs from float64 by {close}, allowed {bound}'
    return 'ok' if error <= bound else f'error {error}, allowed {bound}'
print(verdict())
`;

const MAKE_ODD = `
import sys, numpy as np
rng = np.random.default_rng(1)
a, b = rng.standard_normal((300, 200)).astype('f4'), rng.standard_normal((200, 100)).astype('f4')
a[5, 7], a[6, 8], b[9, 10], a[11] = np.nan, np.inf, -np.inf, 3e38
np.save(sys.argv[1], a)
np.save(sys.argv[2], b)
`;

const CHECK_ODD = `
import sys, numpy as np
np.seterr(all='ignore')
a, b, c = (np.load(path) for path in sys.argv[1:])
e = np.einsum('ik,kj->ij', a.astype('f8'), b.astype('f8')).astype('f4')
sure = np.ones(a.shape[0], dtype=bool)
sure[11] = False
same = np.isfinite(e[sure]) == np.isfinite(c[sure])
fine = np.isfinite(e[sure])
close = np.allclose(e[sure][fine], c[sure][fine], atol=1e-3)
print('ok' if same.all() and close and not np.isfinite(c[11]).all() else 'differs')
`;

describe('a product of any shape and type is what NumPy says', () => {
  let cluster: ClusterUnderTest;

  beforeAll(async () => {
    cluster = await ClusterUnderTest.start({ providers: 3, providerArguments: ['--threads', '1'] });
    if (hasNumpy) python(MAKE, cluster.folder, ...CASES.map(({ id }) => id));
  }, 60_000);

  afterAll(() => cluster.end(), 20_000);

  for (const { name, id } of CASES) {
    numpyTest(
      name,
      async () => {
        const [a, b, c] = ['a', 'b', 'c'].map((operand) => cluster.file(`${id}.${operand}.npy`)) as [
          string,
          string,
          string,
        ];
        const outcome = await cluster.run(
          '--task',
          'matrix_mult',
          '--nodes',
          '3',
          '--a',
          a,
          '--b',
          b,
          '--out',
          c,
          '--json',
        );
        expect({ code: outcome.code, stderr: outcome.stderr }).toMatchObject({ code: 0 });
        const said = JSON.parse(outcome.stdout) as { tiles: number; verifiedTiles: number };
        expect(said).toMatchObject({ state: 'done', verifiedTiles: said.tiles, rejectedTiles: 0, out: c });
        expect(python(CHECK, a, b, c).trim()).toBe('ok');
      },
      20_000,
    );
  }

  numpyTest(
    'what is not finite stays so, and is not taken for a wrong result',
    async () => {
      const [a, b, c] = ['a', 'b', 'c'].map((operand) => cluster.file(`odd.${operand}.npy`)) as [
        string,
        string,
        string,
      ];
      python(MAKE_ODD, a, b);
      const outcome = await cluster.run(
        '--task',
        'matrix_mult',
        '--nodes',
        '3',
        '--a',
        a,
        '--b',
        b,
        '--out',
        c,
        '--json',
      );
      expect({ code: outcome.code, stderr: outcome.stderr }).toMatchObject({ code: 0 });
      expect(JSON.parse(outcome.stdout)).toMatchObject({ rejectedTiles: 0 });
      expect(python(CHECK_ODD, a, b, c).trim()).toBe('ok');
    },
    20_000,
  );
});
