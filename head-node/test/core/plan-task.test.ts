import { expect, test } from '@jest/globals';
import { nodeFactsOf } from '../../src/core/plan-task.ts';
import { ClusterRig } from './cluster-rig.ts';

test('a node is planned for with the link that it has measured, unless it shares the files', () => {
  const rig = new ClusterRig();
  const linkOf = (name: string): number => nodeFactsOf(rig.provider(name)).linkBytesPerMs;
  const beat = (name: string, linkBytesPerMs: number): void =>
    void rig.post({ type: 'heartbeat', session: rig.provider(name).session, linkBytesPerMs });
  rig.join('far', { sharesStore: false });
  rig.join('near', { sharesStore: true });
  expect(linkOf('far')).toBeGreaterThan(100_000);
  beat('far', 0);
  expect(linkOf('far')).toBeGreaterThan(100_000);
  beat('far', 5000);
  beat('near', 5000);
  expect(linkOf('far')).toBe(5000);
  expect(linkOf('near')).toBeGreaterThan(100_000);
});

test('a slow link is a reason to use fewer nodes, and the plan says so', () => {
  const rig = new ClusterRig();
  for (const name of ['a', 'b']) rig.join(name, { sharesStore: false });
  const advice = (): string => {
    const task = rig.submit('matrix_mult', { m: 2048, k: 2048, n: 2048, dtype: 'float32', grid: 'auto' }, { nodes: 2 });
    return rig.task(task).run?.plan.advice ?? '';
  };
  expect(advice()).toBe('');
  for (const name of ['a', 'b'])
    rig.post({ type: 'heartbeat', session: rig.provider(name).session, linkBytesPerMs: 10_000 });
  expect(advice()).toMatch(/fewer nodes would be faster: .*: try --nodes 1/);
});
