import type { OperandDtype } from '@muster/shared';
import type { Backend, Multiplier, Panel } from './backend.ts';
import { productCases, type ProductCase } from './known-answers.ts';

/** The backend's best multiplier for this type that passes the self-test. Rejects with the failure of the last one tried. */
export async function verifiedMultiplier(backend: Backend, dtype: OperandDtype): Promise<Multiplier> {
  let refusal: unknown = new Error(`${backend.kind} does not multiply ${dtype}`);
  for (const open of backend.multipliers(dtype)) {
    try {
      const multiplier = await open();
      await verify(multiplier);
      return multiplier;
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** Throws when an answer is wrong. */
export async function verify(multiplier: Multiplier): Promise<void> {
  for (const known of productCases(multiplier.dtype)) await verifyCase(multiplier, known);
}

async function verifyCase(multiplier: Multiplier, known: ProductCase): Promise<void> {
  const a = adopted(multiplier, 'a', known.a);
  const b = adopted(multiplier, 'b', known.b);
  known.expect(await multiplier.multiply(a, b));
  const resident = await multiplier.keep(b);
  b.bytes.fill(0);
  known.expect(await resident.multiply(a));
  resident.release();
}

function adopted(multiplier: Multiplier, side: 'a' | 'b', panel: Panel): Panel {
  const bytes = panel.bytes.slice();
  multiplier.adopt(side, bytes);
  return { ...panel, bytes };
}
