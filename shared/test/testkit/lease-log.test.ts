import { expect, test } from '@jest/globals';
import { givenAgain, leasesGiven } from '@muster/shared/testkit';

const line = (lease: number, node: string, time: number): string =>
  JSON.stringify({
    level: 20,
    time,
    task: 't',
    lease,
    ranges: [lease % 10, (lease % 10) + 1],
    node,
    msg: 'lease given',
  });

test('leases of one task are found among other lines, a cut last line is left out', () => {
  const log = ['not JSON', line(1, 'a', 5), line(2, 'b', 6).replace('"t"', '"u"'), line(3, 'a', 7).slice(0, -4)];
  expect(leasesGiven(log.join('\n'), 't').map(({ lease }) => lease)).toEqual([1]);
});

test('only what the victim had and another got after the fault was given again', () => {
  const log = [line(1, 'a', 5), line(2, 'b', 6), line(11, 'b', 20), line(12, 'a', 21), line(3, 'b', 22)].join('\n');
  expect(givenAgain(leasesGiven(log, 't'), { victim: 'a', sinceMs: 10 })).toEqual([10]);
});
