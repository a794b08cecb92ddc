/** Events as one line each, for people who read what led to a violation. */
import { epochOf, firstLeaseOf } from '@muster/shared';
import type { HeadEffect, HeadEvent } from '@muster/head-node/core';
import type { ProviderEffect, ProviderEvent } from '@muster/provider-node/core';

/** Lease 3 of epoch 2 is 2.3. */
export const leaseName = (lease: number): string => `${epochOf(lease)}.${lease - firstLeaseOf(epochOf(lease)) + 1}`;

type Described = { readonly type: string } & Readonly<Record<string, unknown>>;

const FIELDS = ['provider', 'task', 'operand', 'block', 'index', 'ok', 'sharesStore', 'epoch', 'aborted'] as const;
const LEASE_LISTS = ['leases', 'keep', 'refused', 'handBack'] as const;

export const describeHeadEvent = (event: HeadEvent, effects: readonly HeadEffect[]): string => describe(event, effects);

export const describeProviderEvent = (event: ProviderEvent, effects: readonly ProviderEffect[]): string =>
  describe(event, effects);

function describe(event: HeadEvent | ProviderEvent, effects: readonly (HeadEffect | ProviderEffect)[]): string {
  const asked = effects.filter(({ type }) => type !== 'log').map(describeEffect);
  return `${describeFields(event)}${asked.length > 0 ? ` -> ${asked.join(', ')}` : ''}`;
}

function describeEffect(effect: HeadEffect | ProviderEffect): string {
  if (effect.type === 'append') return `append ${describeFields(effect.record)}`;
  if ('held' in effect) return `${effect.type} lease=${leaseName(effect.held.lease)}`;
  return describeFields(effect);
}

function describeFields({ type, ...rest }: object & { readonly type: string }): string {
  const fields: Described = { type, ...rest };
  const parts = FIELDS.flatMap((name) => (fields[name] === undefined ? [] : [`${name}=${fields[name] as string}`]));
  if (typeof fields['session'] === 'string') parts.push(`session=${fields['session'].slice(0, 4)}`);
  if (typeof fields['lease'] === 'number') parts.push(`lease=${leaseName(fields['lease'])}`);
  for (const name of LEASE_LISTS) parts.push(...listed(name, fields[name]));
  if (Array.isArray(fields['ranges'])) parts.push(`subtasks=[${fields['ranges'].join(' ')})`);
  return [type, ...parts].join(' ');
}

const listed = (name: string, leases: unknown): string[] =>
  Array.isArray(leases) ? [`${name}=[${leases.map((lease) => leaseName(Number(lease))).join(' ')}]`] : [];
